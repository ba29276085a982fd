// What limits pre-training on 1 to 64 GPUs, computed from what was measured and from what is assumed of GPUs, networks and disks.
// node benchmarks/scaling-model.mjs           prints the tables of docs/scaling.md
// node benchmarks/scaling-model.mjs --write   puts them into the page, between its marks
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Measured on this project's machines, see docs/performance.md; MB are 10^6 bytes. */
const measured = {
  /** `weights inspect` of the paper's UNet, features 64 to 512, and of SwinUNETR of width 48. */
  parameters: { UNet: 22_986_050, SwinUNETR: 62_186_708 },
  /** Processor milliseconds and MB read a crop: node benchmarks/crops.mjs. */
  crops: {
    HybridMIM: { side: 96, channels: 1, milliseconds: 8, megabytes: 6.2 },
    TransVW: { side: 96, channels: 1, milliseconds: 24, megabytes: 6.2 },
    'Models Genesis': { side: 96, channels: 1, milliseconds: 58, megabytes: 6.2 },
    'HybridMIM, 128^3 x 4': { side: 128, channels: 4, milliseconds: 81, megabytes: 53 },
    'Models Genesis, 128^3 x 4': { side: 128, channels: 4, milliseconds: 435, megabytes: 53 },
  },
  /** Seconds of processor to prepare a CT of 512 x 512 x 160: node benchmarks/prepare.mjs. */
  prepareSeconds: 1.98,
  /** Bytes of a case in the list that each loader thread has. */
  caseBytes: 600,
};

/** Nobody has measured these here. */
const assumed = {
  /** Crops of a batch, the paper's (4.3). */
  batch: 4,
  /** Seconds of a GPU for such a batch at 96^3. No GPU has been measured: a slow one, a middle one, a fast one. */
  stepSeconds: [1, 0.3, 0.1],
  /** Of a batch at 128^3 with four channels: as many times as it has more voxels. */
  largerStep: (128 / 96) ** 3,
  gpusOfMachine: 8,
  coresOfMachine: 64,
  /** Bytes a second between two ranks: TensorFlow's gRPC as measured on loopback, and a network that NCCL fills. */
  links: { gRPC: 0.6e9, NCCL: 10e9 },
  /** Bytes a second that all machines together read from the disk that they share. */
  diskBytes: 5e9,
  cases: 100_000,
  /** MiB of a prepared CT, small and large. */
  caseMebibytes: [100, 500],
};

const sizes = [1, 2, 4, 8, 16, 32, 64];

/** Bytes that a rank sends a step: in a ring, or in pairs. */
const reducedBytes = {
  fast: (ranks, parameters) => ((2 * (ranks - 1)) / ranks) * 4 * parameters,
  exact: (ranks, parameters) => Math.log2(ranks) * 4 * parameters,
};

/** Seconds of a step on so many GPUs, and what it waits for: nothing overlaps but the loader, which only has to keep up. */
function step({ ranks, crop, computeSeconds, reduction = 'fast', link = 'gRPC', network = 'UNet' }) {
  const { batch, gpusOfMachine, coresOfMachine, links, diskBytes } = assumed;
  const reduceSeconds = reducedBytes[reduction](ranks, measured.parameters[network]) / links[link];
  const cores = coresOfMachine / gpusOfMachine - 1; // one drives the GPU
  const limits = {
    GPU: computeSeconds + reduceSeconds,
    'loader cores': (batch * crop.milliseconds) / 1000 / cores,
    disk: (ranks * batch * crop.megabytes * 1e6) / diskBytes,
  };
  const [slowest, seconds] = Object.entries(limits).reduce((a, b) => (b[1] > a[1] ? b : a));
  const bottleneck = slowest !== 'GPU' ? slowest : reduceSeconds > computeSeconds ? 'all-reduce' : 'GPU';
  return {
    seconds,
    bottleneck,
    reduceSeconds,
    cropsPerSecond: (ranks * batch) / seconds,
    efficiency: computeSeconds / seconds,
  };
}

const row = (cells) => `| ${cells.join(' | ')} |`;
const table = (head, rows) => [row(head), row(head.map(() => '---')), ...rows.map(row)].join('\n');
const percent = (share) => `${Math.round(100 * share)} %`;
const shown = (value) =>
  value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
const hours = (seconds) => shown(seconds / 3600);

/** Bytes of gradients a step, and seconds of their sum. */
function reductionTable() {
  const rows = sizes.slice(1).map((ranks) => {
    const cells = Object.entries(reducedBytes).flatMap(([, bytes]) => {
      const sent = bytes(ranks, measured.parameters.UNet);
      return [shown(sent / 1e6), ...Object.values(assumed.links).map((link) => shown(sent / link))];
    });
    return [ranks, ...cells];
  });
  const head = ['MB', 's by gRPC', 's by NCCL'];
  return table(
    ['GPUs', ...['fast', 'exact'].flatMap((kind) => head.map((name) => `${kind}: ${name}`))],
    rows,
  );
}

/** Cores that keep one GPU busy, and what the disk must give it. */
function loaderTable() {
  const rows = Object.entries(measured.crops).map(([name, crop]) => {
    const larger = crop.side === 96 ? 1 : assumed.largerStep;
    const demand = assumed.stepSeconds.flatMap((seconds) => {
      const rate = assumed.batch / (seconds * larger);
      return [shown((rate * crop.milliseconds) / 1000), shown(rate * crop.megabytes)];
    });
    return [name, crop.milliseconds, shown(1000 / crop.milliseconds), crop.megabytes, ...demand];
  });
  const steps = assumed.stepSeconds.flatMap((seconds) => [`cores at ${seconds} s`, `MB/s at ${seconds} s`]);
  return table(['method', 'ms a crop', 'crops a second and core', 'MB a crop', ...steps], rows);
}

/** Crops a second, efficiency and bottleneck by the number of GPUs. */
function sizeTable(name) {
  const crop = measured.crops[name];
  const larger = crop.side === 96 ? 1 : assumed.largerStep;
  const rows = sizes.map((ranks) => [
    ranks,
    ...assumed.stepSeconds.flatMap((seconds) => {
      const found = step({ ranks, crop, computeSeconds: seconds * larger });
      return [shown(found.cropsPerSecond), percent(found.efficiency), found.bottleneck];
    }),
  ]);
  const head = assumed.stepSeconds.flatMap((seconds) => [
    `crops/s at ${shown(seconds * larger)} s`,
    'of ideal',
    'waits for',
  ]);
  return table(['GPUs', ...head], rows);
}

/** The same by NCCL, for the fastest step alone. */
function networkTable() {
  const fastest = Math.min(...assumed.stepSeconds);
  const crop = measured.crops.HybridMIM;
  const kinds = ['fast', 'exact'].flatMap((reduction) =>
    Object.keys(assumed.links).map((link) => ({ reduction, link })),
  );
  const rows = sizes.map((ranks) => [
    ranks,
    ...kinds.map((kind) => {
      const { efficiency, bottleneck } = step({ ranks, crop, computeSeconds: fastest, ...kind });
      return `${percent(efficiency)}, ${bottleneck}`;
    }),
  ]);
  return table(['GPUs', ...kinds.map(({ reduction, link }) => `${reduction}, ${link}`)], rows);
}

/** What 100,000 CTs take. */
function collectionTable() {
  const { cases, caseMebibytes } = assumed;
  const [small, large] = caseMebibytes.map((mebibytes) => (cases * mebibytes * 2 ** 20) / 1e12);
  const rows = [
    ['prepared volumes on disk', `${shown(small)} to ${shown(large)} TB`],
    [
      'preparing them',
      `${shown((cases * measured.prepareSeconds) / 3600)} core hours, ${shown((cases * measured.prepareSeconds) / 3600 / 16 / 4)} h by 16 shards of 4 threads`,
    ],
    ['memory of the list of cases', `${shown((cases * measured.caseBytes) / 1e6)} MB a loader thread`],
    ['order of an epoch', `${shown((cases * 4) / 1e6)} MB a loader thread and epoch, drawn once`],
    ...[1, 8, 64].map((ranks) => [
      `an epoch of one crop a CT, ${ranks} GPU${ranks > 1 ? 's' : ''}`,
      assumed.stepSeconds
        .map((computeSeconds) => {
          const { cropsPerSecond } = step({ ranks, crop: measured.crops.HybridMIM, computeSeconds });
          return `${hours(cases / cropsPerSecond)} h at ${computeSeconds} s`;
        })
        .join(', '),
    ]),
  ];
  return table(['100,000 CTs', ''], rows);
}

/** The tables of the page by their names. */
export const scalingTables = () => ({
  reduction: reductionTable(),
  loader: loaderTable(),
  'sizes-hybridmim': sizeTable('HybridMIM'),
  'sizes-models-genesis-128': sizeTable('Models Genesis, 128^3 x 4'),
  networks: networkTable(),
  collection: collectionTable(),
});

/** The page with the tables between their marks. Throws where a table has no marks. */
export function pageWithTables(page) {
  return Object.entries(scalingTables()).reduce((text, [name, content]) => {
    const marks = new RegExp(`(<!-- table: ${name} -->\n)[\\s\\S]*?(\n<!-- end -->)`);
    if (!marks.test(text)) throw new Error(`docs/scaling.md has no marks of the table ${name}`);
    return text.replace(marks, (_, begin, end) => `${begin}${content}${end}`);
  }, page);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const page = new URL('../docs/scaling.md', import.meta.url);
  if (process.argv.includes('--write')) writeFileSync(page, pageWithTables(readFileSync(page, 'utf8')));
  else for (const [name, content] of Object.entries(scalingTables())) console.log(`${name}\n${content}\n`);
}
