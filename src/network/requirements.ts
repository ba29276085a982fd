import type { Tensor5D } from '../engine/index.js';
import { ShapeError, UsageError } from '../errors.js';
import { fileShape, fileSize } from './axis-order.js';

/**
 * Refuses images that a network cannot take.
 * @param images [B, D, H, W, C]
 * @param stride each side must be a multiple of it
 * @throws ShapeError naming the network and what it takes
 */
export function requireImages(network: string, images: Tensor5D, channels: number, stride: number): void {
  const [, depth, height, width, found] = images.shape;
  if (found !== channels) {
    throw new ShapeError(
      `${network} takes ${channels} channels, but the input has ${found}: ` +
        `[${fileShape(images.shape)}] (batch, x, y, z, channels)`,
      {
        field: 'network.inChannels',
        found,
        expected: channels,
      },
    );
  }
  const size = fileSize([depth, height, width]);
  if (size.every((n) => n >= stride && n % stride === 0)) return;
  const nearest = size.map((n) => Math.max(1, Math.round(n / stride)) * stride);
  throw new ShapeError(
    `${network} needs sides that are multiples of ${stride} voxels, but the input is [${size}] ` +
      `(x, y, z); the nearest is [${nearest}]`,
    {
      found: size,
      expected: nearest,
    },
  );
}

/** Refuses counts that are no whole numbers from 1 up. Throws UsageError naming the setting. */
export function requireCounts(counts: Readonly<Record<string, number>>): void {
  for (const [field, value] of Object.entries(counts)) {
    if (Number.isInteger(value) && value >= 1) continue;
    throw new UsageError(`network.${field} must be a whole number from 1 up, but is ${value}`, {
      field: `network.${field}`,
      found: value,
    });
  }
}

/** Refuses a dropout rate outside [0, 1). Throws UsageError. */
export function requireRate(dropout: number): void {
  if (dropout >= 0 && dropout < 1) return;
  throw new UsageError(`network.dropout must be at least 0 and below 1, but is ${dropout}`, {
    field: 'network.dropout',
    found: dropout,
  });
}

/** Refuses a width that does not divide. Throws UsageError naming both settings. */
export function requireMultiple(field: string, value: number, of: string, divisor: number): void {
  if (value % divisor === 0) return;
  throw new UsageError(`network.${field} is ${value}, but must be a multiple of ${of} ${divisor}`, {
    field: `network.${field}`,
    found: value,
  });
}
