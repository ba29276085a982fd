export { phantom, phantomClasses, writePhantoms } from './phantoms.js';
