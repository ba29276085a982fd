import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parse } from 'yaml';
import { checkConfig, finetuneConfig, pretrainConfig } from '../config/index.js';
import { markdownTable } from '../report/index.js';
import { makeFolder, writeWholeFile, writeWholeFolder } from '../whole-file.js';
import { fingerprintText } from './fingerprint-text.js';
import { planFiles } from './plan-options.js';
import type { ProjectPlan } from './plan-project.js';
import {
  type Expected,
  expectedOf,
  finetuneReasons,
  preparationReasons,
  pretrainReasons,
  type Reasoned,
} from './plan-reasons.js';

/**
 * Writes the files of a plan, all of them or none where the folder is new, each complete or not at all elsewhere: the dataset index, the configurations with the
 * reason beside each value, all reasons as a table, and what was found for programs to read.
 * @returns the files
 */
export async function writePlan(plan: ProjectPlan): Promise<string[]> {
  const expected = expectedOf(plan);
  const pretrain = pretrainReasons(plan, expected);
  const finetune = expected.finetune && finetuneReasons(plan, expected.finetune);
  const { project } = plan;
  const texts = new Map<string, string>([
    [planFiles.datasets, `${JSON.stringify(plan.datasets, null, 1)}\n`],
    [planFiles.pretrain, checked(pretrainConfig, yamlOf('Pre-training', pretrain), planFiles.pretrain)],
    ...(finetune
      ? ([
          [planFiles.finetune, checked(finetuneConfig, yamlOf('Fine-tuning', finetune), planFiles.finetune)],
        ] as const)
      : []),
    [planFiles.reasons, reasonsPage(plan, pretrain, finetune)],
    // Last: the project is planned when it is there.
    [planFiles.plan, `${JSON.stringify(planRecord(plan, expected), null, 1)}\n`],
  ]);
  const writeInto = async (folder: string) => {
    for (const [name, text] of texts) await writeWholeFile(join(folder, name), text);
  };
  // A folder that is there has other things, and gets the files one by one.
  if (existsSync(project)) await writeInto(project);
  else {
    await makeFolder(dirname(project));
    await writeWholeFolder(project, writeInto);
  }
  return [...texts.keys()].map((name) => join(project, name));
}

/** Holds a text to the schema that reads it. */
function checked(schema: typeof pretrainConfig | typeof finetuneConfig, text: string, name: string): string {
  checkConfig(schema, parse(text), name);
  return text;
}

/** `plan.json`, for programs. */
function planRecord({ fingerprint, chosen, limits, place, notes }: ProjectPlan, expected: Expected): object {
  return {
    schema: 1,
    fingerprint,
    limits: { memoryBytes: limits.memoryBytes, hours: limits.hours },
    width: chosen.width,
    measured: { pretrain: chosen.pretrain, finetune: chosen.finetune ?? null },
    expected: {
      pretrain: { steps: expected.pretrain.steps, seconds: expected.pretrain.seconds },
      finetune: expected.finetune
        ? { steps: expected.finetune.steps, seconds: expected.finetune.seconds }
        : null,
      memoryBytes: expected.memoryBytes,
      diskBytes: expected.diskBytes,
    },
    datasets: place.datasets,
    labelled: place.labelled,
    notes,
  };
}

/** A configuration whose groups follow from the dotted keys, with the reasons as comments. */
function yamlOf(title: string, reasons: readonly Reasoned[]): string {
  const lines = [
    `# ${title}, as "hybridmim plan" decided it; the reason stands beside each value. Change what you know better.`,
  ];
  let group: string | undefined;
  for (const { key, value, reason } of reasons) {
    const [first = key, ...rest] = key.split('.');
    const inGroup = rest.length > 0;
    if (inGroup && first !== group) lines.push(`${first}:`);
    group = inGroup ? first : undefined;
    lines.push(`${inGroup ? `  ${rest.join('.')}` : key}: ${JSON.stringify(value)} # ${reason}`);
  }
  return `${lines.join('\n')}\n`;
}

/** All values with their reasons, those of the dataset index too, for people. */
function reasonsPage(
  plan: ProjectPlan,
  pretrain: readonly Reasoned[],
  finetune: readonly Reasoned[] | undefined,
): string {
  const { fingerprint, notes } = plan;
  const table = (reasons: readonly Reasoned[]) =>
    markdownTable(
      ['setting', 'value', 'why'],
      reasons.map(({ key, value, reason }) => [key, JSON.stringify(value), reason]),
    );
  return [
    '# The plan',
    fingerprintText(fingerprint),
    `## Preparation (${planFiles.datasets})\n\n${table(preparationReasons(fingerprint))}`,
    `## Pre-training (${planFiles.pretrain})\n\n${table(pretrain)}`,
    ...(finetune ? [`## Fine-tuning (${planFiles.finetune})\n\n${table(finetune)}`] : []),
    ...(notes.length > 0 ? [`## Notes\n\n${notes.map((note) => `- ${note}`).join('\n')}`] : []),
    '',
  ].join('\n\n');
}
