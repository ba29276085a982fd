import { type CaseResult, dice, type EvaluatedClass, summarise } from '../../src/evaluation/index.js';
import { randomStream } from '../../src/random/streams.js';
import type { ReportCase, ReportContent, ReportEvaluation } from '../../src/report/index.js';
import type { Triple, Volume } from '../../src/volume/index.js';
import { affineOf } from '../dataset/generated-data.js';

/** A name that breaks out of HTML, attributes, JSON and scripts where it is not escaped. */
export const hostileName = `</script><img src=x onerror="document.title='broken'">'&`;

const brats = ['WT', 'TC', 'ET'];
export const organs: readonly EvaluatedClass[] = [
  { name: 'liver', values: [1] },
  { name: 'tumour', values: [2] },
];

/** A case of a ball in a ball in noise, whose prediction is moved by some voxels. */
export function sampleCase(id: string, name: string, shift: number, side = 48): ReportCase {
  const spacing: Triple = [1.5, 1.5, 2];
  const volumes = () => {
    const noise = randomStream(1, 'crop');
    const grey = Float32Array.from({ length: side ** 3 }, () => 40 * noise.uniform());
    const [reference, prediction] = [balls(side, spacing, 0), balls(side, spacing, shift)];
    const image = { ...reference, data: grey.map((value, i) => value + 60 * reference.data[i]!) };
    return { image, reference, prediction };
  };
  const { reference, prediction } = volumes();
  const ofClass = ({ values }: EvaluatedClass) => {
    const mask = ({ data }: Volume) => Uint8Array.from(data, (value) => (values.includes(value) ? 1 : 0));
    return { dice: dice(mask(prediction), mask(reference)), hd95: 1.5 * shift, status: 'ok' as const };
  };
  const result: CaseResult = {
    id,
    classes: Object.fromEntries(organs.map((organ) => [organ.name, ofClass(organ)])),
  };
  return {
    id,
    name,
    source: 'ours.json',
    result,
    classes: organs,
    window: undefined,
    load: async () => volumes(),
  };
}

/** Label 1 in a large ball, 2 in a small one within, both `shift` voxels along x. */
function balls(side: number, spacing: Triple, shift: number): Volume {
  const data = new Uint8Array(side ** 3);
  for (let i = 0; i < data.length; i++) {
    const [x, y, z] = [i % side, Math.floor(i / side) % side, Math.floor(i / side ** 2)];
    const distance = Math.hypot(x - side / 2 - shift, y - side / 2, z - side / 2) / side;
    data[i] = distance < 0.1 ? 2 : distance < 0.3 ? 1 : 0;
  }
  return { size: [side, side, side], spacing, affine: affineOf(spacing), channels: 1, data };
}

/** A report with everything that there can be in one. */
export function sampleContent(cases: readonly ReportCase[]): ReportContent {
  const known = { network: 'unet', pretrained: true } as const;
  const liver = {
    name: 'ours',
    source: 'ours.json',
    split: undefined,
    table: undefined,
    fraction: 1,
    ...known,
    evaluation: summarise(
      'liver',
      ['liver', 'tumour'],
      cases.map(({ result }) => result),
    ),
  };
  const tumours = [0.2, 0.6, 1].map((fraction): ReportEvaluation => {
    const result = { dice: 0.8 + 0.08 * fraction, hd95: 5, status: 'ok' } as const;
    const evaluation = summarise('brats', brats, [
      { id: 'b', classes: Object.fromEntries(brats.map((name) => [name, result])) },
    ]);
    return {
      name: `brats ${fraction}`,
      source: `${fraction}.json`,
      split: undefined,
      table: undefined,
      fraction,
      ...known,
      evaluation,
    };
  });
  const lines = [1, 2, 3, 4].flatMap((step) => [
    { step, loss: 1 / step, losses: { dice: 0.6 / step, crossEntropy: 0.4 / step }, lr: 1e-4 },
    { step, validation: { mean: 0.2 * step, liver: 0.2 * step } },
  ]);
  const speed = ['partial', 'full'].map((region, i) => ({
    ...{ network: 'unet', method: 'hybridmim', precision: 'float32', region },
    ...{ medianMs: 700 + 350 * i, minMs: 690, maxMs: 1100 },
  }));
  return {
    title: `Report ${hostileName}`,
    runs: [{ name: hostileName, lines }],
    evaluations: [liver, ...tumours],
    speed,
    cases,
    notes: [`a note ${hostileName}`],
  };
}
