import type { PreparedCase } from '../dataset/index.js';

/** CT is shown in the window that the network saw; other intensities have no unit. */
export const windowOf = ({ preprocessing }: PreparedCase): { readonly window?: readonly [number, number] } =>
  preprocessing.intensity === 'ct-window' ? { window: preprocessing.windowHu } : {};
