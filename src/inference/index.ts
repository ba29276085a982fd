export { spatialSize } from './axis-order.js';
