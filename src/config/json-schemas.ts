import { z } from 'zod';
import { datasetFileSchema } from '../dataset/index.js';
import { finetuneConfig, pretrainConfig } from './configs.js';
import { experimentConfig } from './experiment-config.js';
import { predictConfig } from './predict-config.js';
import { presetSchema } from './preset.js';
import { taskConfig } from './task.js';

type JsonSchema = z.core.JSONSchema.BaseSchema;

/** A configuration that may lie on others: whole where it names none, a part of one where it does. */
export interface ExtendableSchema extends JsonSchema {
  readonly if: JsonSchema;
  readonly then: JsonSchema;
  readonly else: JsonSchema;
}

/** Every kind of file that people write here, by the name of its JSON Schema. */
export interface JsonSchemas {
  readonly pretrain: ExtendableSchema;
  readonly finetune: ExtendableSchema;
  readonly experiment: ExtendableSchema;
  /** The keys that `predict --set` takes. */
  readonly predict: JsonSchema;
  readonly preset: JsonSchema;
  readonly task: JsonSchema;
  readonly datasets: JsonSchema;
}

const draft = 'http://json-schema.org/draft-07/schema#';

/**
 * JSON Schemas (draft 7, which editors know) of what is read from files. They say keys, types, ranges and
 * choices; what a refinement says of several keys together, the program alone checks.
 */
export function jsonSchemas(): JsonSchemas {
  return {
    pretrain: extendable('A pre-training configuration of hybridmim', pretrainConfig),
    finetune: extendable('A fine-tuning configuration of hybridmim', finetuneConfig),
    experiment: extendable('An experiment of hybridmim', experimentConfig),
    predict: titled('Settings of a prediction by hybridmim', schemaOf(predictConfig)),
    preset: titled('A preset of hybridmim predict', schemaOf(presetSchema)),
    task: titled('The label values of a segmentation task', schemaOf(taskConfig)),
    datasets: titled('A dataset index of hybridmim', schemaOf(datasetFileSchema)),
  };
}

const titled = (title: string, schema: JsonSchema): JsonSchema => ({ $schema: draft, title, ...schema });

function extendable(title: string, schema: z.ZodType): ExtendableSchema {
  const whole = schemaOf(schema);
  const bases: JsonSchema = { anyOf: [{ type: 'string' }, { type: 'array', items: { type: 'string' } }] };
  const part = partOf(whole);
  return {
    $schema: draft,
    title,
    if: { type: 'object', required: ['extends'] },
    // biome-ignore lint/suspicious/noThenProperty: the word of JSON Schema; nothing awaits it
    then: { ...part, properties: { extends: bases, ...part.properties } },
    else: whole,
  };
}

/** The JSON Schema of what a schema takes. */
function schemaOf(schema: z.ZodType): JsonSchema {
  const { $schema: _, ...found } = z.toJSONSchema(schema, {
    target: 'draft-7',
    io: 'input',
    override: ({ jsonSchema }) => {
      delete jsonSchema.readOnly; // of the value once it is read, not of the file
      if (!isNamed(jsonSchema, 'unet')) return; // the network section's own default, whose name may be absent
      const required = jsonSchema.required?.filter((key) => key !== 'name') ?? [];
      if (required.length > 0) jsonSchema.required = required;
      else delete jsonSchema.required;
    },
  });
  return found;
}

const isNamed = ({ properties }: JsonSchema, name: string): boolean => {
  const found = properties?.name;
  return typeof found === 'object' && found.const === name;
};

/** The same without required keys, save in lists, which are replaced whole. */
function partOf(schema: JsonSchema): JsonSchema {
  const { required: _, oneOf, anyOf, properties, additionalProperties, ...kept } = schema;
  const alternatives = oneOf ?? anyOf; // a part without its name fits several of them
  return {
    ...kept,
    ...(alternatives && { anyOf: alternatives.map(partOf) }),
    ...(properties && {
      properties: Object.fromEntries(
        Object.entries(properties).map(([key, value]) => [key, partOrFlag(value)]),
      ),
    }),
    ...(additionalProperties !== undefined && { additionalProperties: partOrFlag(additionalProperties) }),
  };
}

const partOrFlag = <T extends JsonSchema | boolean>(schema: T): JsonSchema | boolean =>
  typeof schema === 'boolean' ? schema : partOf(schema);
