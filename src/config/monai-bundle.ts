import { join } from 'node:path';
import { z } from 'zod';
import { DataError, UsageError } from '../errors.js';
import { shortJson } from '../first-issue.js';
import { jsonOrUndefined } from '../json.js';
import { readText } from '../text-file.js';

const component = z.looseObject({ _target_: z.string() });
type Component = z.infer<typeof component>;
const transforms = z.looseObject({ transforms: z.array(component) });
const numbers = z.tuple([z.number(), z.number(), z.number()]);
const inferenceFile = z.looseObject({
  preprocessing: z.unknown(),
  inferer: z.unknown(),
  postprocessing: z.unknown(),
  network_def: z.unknown(),
});
const metadataFile = z.looseObject({
  monai_version: z.string().optional(),
  network_data_format: z
    .looseObject({
      outputs: z.looseObject({
        pred: z.looseObject({ channel_def: z.record(z.string(), z.string()).optional() }),
      }),
    })
    .optional(),
});

/** Transforms that bring a file into memory, or say how it is stored there: nothing to do here. */
const LOADING = [
  'LoadImaged',
  'EnsureChannelFirstd',
  'AddChanneld',
  'EnsureTyped',
  'ToTensord',
  'CastToTyped',
];

/**
 * What a MONAI bundle's `configs/inference.json` and `configs/metadata.json` say of preparation, windows and
 * classes, in the keys of a preset. The bundle's own Python is never run: an expression (`$...`) where a
 * value is needed is refused.
 * @throws DataError when a file is missing or damaged; UsageError naming the transform or value that has no
 *   counterpart here
 */
export async function readMonaiBundle(folder: string): Promise<Record<string, unknown>> {
  const file = join(folder, 'configs', 'inference.json');
  const config = recordOf(await readJson(file), file);
  const metadata = metadataFile.safeParse(await readJson(join(folder, 'configs', 'metadata.json')));
  if (!metadata.success)
    throw new DataError(`${join(folder, 'configs', 'metadata.json')} is no metadata of a MONAI bundle`, {
      file: folder,
    });
  const values = resolver(config, file);
  return {
    orientation: 'as stored',
    ...preparation(values.read(config.preprocessing, transforms, 'preprocessing').transforms, values, file),
    inference: windows(values.read(config.inferer, component, 'inferer'), values, file),
    ...classes(
      metadata.data,
      values.read(config.postprocessing, transforms, 'postprocessing').transforms,
      values,
      file,
    ),
    network: network(config.network_def, metadata.data),
  };
}

async function readJson(file: string): Promise<object> {
  const text = await readText(
    file,
    (cause) =>
      new DataError(
        `${file} cannot be read: a MONAI bundle has it; for other folders write a preset file ` +
          `(docs/predict.md)`,
        { file },
        { cause },
      ),
  );
  const content = jsonOrUndefined(text);
  if (typeof content === 'object' && content !== null) return content;
  throw new DataError(
    `${file} is no JSON object: download the bundle again, or write a preset file (docs/predict.md)`,
    { file },
  );
}

function recordOf(content: object, file: string): z.infer<typeof inferenceFile> {
  const { data } = inferenceFile.safeParse(content);
  if (data) return data;
  throw new DataError(`${file} is no configuration of a MONAI bundle, which is an object of settings`, {
    file,
  });
}

interface Values {
  /** A value of the file, references to other plain values followed. */
  read<S extends z.ZodType>(value: unknown, schema: S, field: string): z.infer<S>;
}

function resolver(config: Readonly<Record<string, unknown>>, file: string): Values {
  const followed = (value: unknown, seen: readonly string[] = []): unknown => {
    if (typeof value !== 'string' || !value.startsWith('@') || seen.includes(value)) return value;
    const target = value
      .slice(1)
      .split(/#|::/)
      .reduce<unknown>(
        (at, key) => (typeof at === 'object' && at !== null ? Reflect.get(at, key) : undefined),
        config,
      );
    return followed(target, [...seen, value]);
  };
  return {
    read: (value, schema, field) => {
      const found = followed(value);
      const parsed = schema.safeParse(found);
      if (parsed.success) return parsed.data;
      throw new UsageError(
        `${file}: ${field} is ${found === undefined ? 'missing' : shortJson(found)}, which cannot be taken without ` +
          `running the bundle's own code: write a preset file (docs/predict.md)`,
        { file, field, found },
      );
    },
  };
}

function preparation(steps: readonly Component[], values: Values, file: string): Record<string, unknown> {
  const preset: Record<string, unknown> = {};
  for (const step of steps) {
    const name = step._target_.slice(step._target_.lastIndexOf('.') + 1);
    const read = <S extends z.ZodType>(key: string, schema: S) =>
      values.read(step[key], schema, `${name}.${key}`);
    const refuse = (what: string): never => {
      throw new UsageError(
        `${file}: the transform ${name} ${what} has no counterpart here: write a preset file ` +
          `(docs/predict.md)`,
        {
          file,
          field: name,
        },
      );
    };
    if (LOADING.includes(name)) continue;
    if (name === 'Orientationd') {
      if (read('axcodes', z.string()) !== 'RAS') refuse(`to ${String(step.axcodes)}`);
      preset.orientation = 'RAS';
    } else if (name === 'Spacingd') preset.spacing = read('pixdim', numbers);
    else if (name === 'ScaleIntensityRanged') {
      const [low, high, to0, to1] = ['a_min', 'a_max', 'b_min', 'b_max'].map((key) => read(key, z.number()));
      if (to0 !== 0 || to1 !== 1 || step.clip !== true)
        refuse('to another range than [0, 1], or without clipping,');
      Object.assign(preset, { intensity: 'ct-window', windowHu: [low, high] });
    } else if (name === 'NormalizeIntensityd') {
      if (
        step.nonzero !== true ||
        step.channel_wise !== true ||
        step.subtrahend !== undefined ||
        step.divisor !== undefined
      )
        refuse('other than nonzero and channel_wise');
      preset.intensity = 'z-score';
    } else if (name === 'CropForegroundd') refuse('(write its threshold as "foregroundThreshold")');
    else refuse('');
  }
  return preset;
}

function windows(inferer: Component, values: Values, file: string): Record<string, unknown> {
  if (!/(^|\.)SlidingWindowInferer$/.test(inferer._target_))
    throw new UsageError(
      `${file}: the inferer ${inferer._target_} has no counterpart here: write a preset file ` +
        `(docs/predict.md)`,
      {
        file,
        field: 'inferer',
      },
    );
  return {
    window: values.read(inferer.roi_size, numbers, 'inferer.roi_size'),
    overlap: values.read(inferer.overlap ?? 0.25, z.number(), 'inferer.overlap'), // MONAI's defaults
    blend: values.read(inferer.mode ?? 'constant', z.enum(['constant', 'gaussian']), 'inferer.mode'),
  };
}

/** Softmax: channel i is label value i. What values the regions of a sigmoid stand for, no bundle says. */
function classes(
  metadata: z.infer<typeof metadataFile>,
  steps: readonly Component[],
  values: Values,
  file: string,
): Record<string, unknown> {
  const activation = steps.find(({ _target_: name }) => /(^|\.)Activationsd$/.test(name));
  const isSoftmax =
    (activation && values.read(activation.softmax ?? false, z.boolean(), 'Activationsd.softmax')) ?? false;
  if (!isSoftmax)
    throw new UsageError(
      `${file}: the outputs are no softmax, and a bundle does not say which label values its ` +
        `regions stand for: write a preset file with "regions" (docs/predict.md)`,
      { file, field: 'postprocessing' },
    );
  const names = metadata.network_data_format?.outputs.pred.channel_def;
  return names === undefined
    ? {}
    : { classes: Object.fromEntries(Object.entries(names).filter(([value]) => value !== '0')) };
}

/** Settings that shapes do not tell. MONAI before 1.5 merged the tokens of a SwinUNETR in another order. */
function network(
  definition: unknown,
  { monai_version: version }: z.infer<typeof metadataFile>,
): Record<string, unknown> {
  const parsed = component.safeParse(definition);
  if (!parsed.success || !/(^|\.)SwinUNETR$/.test(parsed.data._target_)) return {};
  const [major = 0, minor = 0] = (version ?? '0').split('.').map(Number);
  const isBefore = major < 1 || (major === 1 && minor < 5);
  if (parsed.data.downsample === 'mergingv2') return { merging: 'mergingv2' };
  return isBefore ? { merging: 'merging-before-1.5' } : {};
}
