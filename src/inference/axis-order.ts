import type { SpatialSize } from '../network/index.js';
import type { Triple } from '../volume/index.js';

/** File order [x, y, z] as the engine's axis order [D, H, W] = [z, y, x]: x is the fastest in memory in both. */
export function spatialSize([x, y, z]: Triple): SpatialSize {
  return [z, y, x];
}
