import { itemAt } from '../at.js';
import { UsageError, WorkError } from '../errors.js';

/**
 * What the output channels of a segmentation network mean. `classes`: softmax, channel 0 is background and
 * channel i the label values[i - 1][0]. `regions`: sigmoid, channel i is the union of values[i], and regions
 * may overlap (BraTS).
 */
export interface LabelScheme {
  readonly kind: 'classes' | 'regions';
  readonly names: readonly string[];
  readonly values: readonly (readonly number[])[];
  /** The label value of voxels that losses and metrics leave out; no network gives it. */
  readonly ignore?: number | undefined;
}

/**
 * The scheme of a dataset's classes, or of regions over them.
 * @param classes names by label value
 * @param regions label values by region name, from the largest region to the smallest; absent: the classes
 * @param ignore the value of voxels that nobody labelled; absent: every voxel counts
 * @throws UsageError when a region has a value that is no class, or no value that sets it apart from those
 *   within it
 */
export function labelScheme(
  classes: Readonly<Record<string, string>>,
  regions?: Readonly<Record<string, readonly number[]>>,
  ignore?: number,
): LabelScheme {
  const values = Object.keys(classes).map(Number);
  const ignored = ignore === undefined ? {} : { ignore };
  if (!regions)
    return {
      kind: 'classes',
      names: Object.values(classes),
      values: values.map((value) => [value]),
      ...ignored,
    };
  for (const [name, members] of Object.entries(regions)) {
    const stranger = members.find((value) => !values.includes(value));
    if (stranger !== undefined) {
      throw new UsageError(
        `data.regions.${name} has the label value ${stranger}, but the dataset's are ${values.join(', ')}`,
        {
          field: `data.regions.${name}`,
          found: stranger,
          expected: values,
        },
      );
    }
  }
  const scheme: LabelScheme = {
    kind: 'regions',
    names: Object.keys(regions),
    values: Object.values(regions),
    ...ignored,
  };
  scheme.names.forEach((name, i) => {
    if (ownValue(scheme, i) !== undefined) return;
    throw new UsageError(
      `data.regions.${name} has no label value that the regions after it lack: order regions from ` +
        `the largest to the smallest`,
      {
        field: `data.regions.${name}`,
      },
    );
  });
  return scheme;
}

/** Channels that a network needs for the scheme. */
export const outputChannels = ({ kind, names }: LabelScheme): number =>
  kind === 'classes' ? names.length + 1 : names.length;

/**
 * Label value to write where `channel` decides: a class's value, or the value that sets a region apart from
 * those after it.
 */
export function channelValue(scheme: LabelScheme, channel: number): number {
  if (scheme.kind === 'classes') return channel === 0 ? 0 : itemAt(itemAt(scheme.values, channel - 1), 0);
  const own = ownValue(scheme, channel);
  if (own !== undefined) return own;
  throw new WorkError(`the region of channel ${channel} has no label value that the regions after it lack`, {
    found: scheme.values,
  });
}

function ownValue({ values }: LabelScheme, region: number): number | undefined {
  return itemAt(values, region).find(
    (value) => !values.slice(region + 1).some((later) => later.includes(value)),
  );
}
