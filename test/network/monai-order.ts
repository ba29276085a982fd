/** Shape of a batch, without channels. */
export type BatchShape = readonly [batch: number, first: number, second: number, third: number];

/** MONAI's [B, x, y, z] as the engine's [B, z, y, x], or the other way round. */
export const reversedShape = ([batch, first, second, third]: BatchShape): [
  number,
  number,
  number,
  number,
] => [batch, third, second, first];

/** Values [B, x, y, z, C] as [B, z, y, x, C], or the other way round, voxel by voxel. */
export function reversedAxes<Values extends Float32Array | Int32Array>(
  values: Values,
  [batch, first, second, third]: BatchShape,
  channels = 1,
): Values {
  const result = values.slice() as Values;
  let from = 0;
  for (let b = 0; b < batch; b++)
    for (let i = 0; i < first; i++)
      for (let j = 0; j < second; j++)
        for (let k = 0; k < third; k++)
          for (let c = 0; c < channels; c++)
            result[(((b * third + k) * second + j) * first + i) * channels + c] = values[from++] as number;
  return result;
}
