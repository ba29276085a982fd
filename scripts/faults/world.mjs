// A small data set, a run trained on it, and the commands that work on them through the real command line.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { create } from 'tar';
import { stringify } from 'yaml';
import { writeNifti } from '../../dist/volume/index.js';
import { commands, needs, usual } from './commands.mjs';
import { isWhole } from './whole.mjs';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const program = join(root, 'bin/hybridmim.mjs');

/** Runs a command line as a user does; `during` may do something to the process. */
export function run(args, { during = () => {}, limits = '', env = {} } = {}) {
  return new Promise((resolve, reject) => {
    const command = limits
      ? ['bash', ['-c', `${limits}; exec "$0" "$@"`, process.execPath, program, ...args]]
      : [process.execPath, [program, ...args]];
    const child = spawn(...command, {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, TF_CPP_MIN_LOG_LEVEL: '3', ...env },
    });
    let [stdout, stderr] = ['', ''];
    child.stdout?.setEncoding('utf8').on('data', (text) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text) => {
      stderr += text;
    });
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr }));
    during(child);
  });
}

/** Runs a command line, and looks at what its process takes: seconds of the processor, and bytes at most. */
export async function measuredRun(args) {
  let [memory, seconds] = [0, 0];
  let timer;
  const look = (pid) => {
    try {
      const [status, stat] = ['status', 'stat'].map((name) => readFileSync(`/proc/${pid}/${name}`, 'utf8'));
      memory = Math.max(memory, 1024 * Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0));
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      seconds = (Number(fields[11]) + Number(fields[12])) / 100;
    } catch {
      // It has ended, or the system does not say.
    }
  };
  const result = await run(args, {
    during: ({ pid }) => {
      timer = setInterval(look, 100, pid);
    },
  });
  clearInterval(timer);
  return { ...result, memory, seconds };
}

const size = [24, 22, 20];
const affine = { rows: [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0] };

/**
 * Makes scans, an index of them, and what commands leave when nothing disturbs them.
 * @param only names of commands; what they need is made as well
 */
export async function makeWorld(folder, only = usual) {
  const scans = join(folder, 'scans');
  const labels = join(folder, 'labels');
  for (const path of [scans, labels]) mkdirSync(path, { recursive: true });
  const names = ['a', 'b', 'c'];
  for (const [salt, name] of names.entries()) {
    const label = Uint8Array.from({ length: size[0] * size[1] * size[2] }, (_, i) => {
      const [x, y, z] = [i % size[0], Math.floor(i / size[0]) % size[1], Math.floor(i / (size[0] * size[1]))];
      return x > 4 + salt && x < 14 && y > 5 && y < 15 && z > 3 && z < 15 ? (z > 8 ? 2 : 1) : 0;
    });
    const image = Float32Array.from(label, (value, i) => 300 * value + ((i * 7919) % 101));
    const grid = { size, spacing: [1, 1, 1], affine, channels: 1 };
    await writeNifti(join(scans, `${name}.nii.gz`), { ...grid, data: image });
    await writeNifti(join(labels, `${name}.nii.gz`), { ...grid, data: label });
  }
  const cases = names.map((id, i) => ({
    id,
    image: `scans/${id}.nii.gz`,
    label: `labels/${id}.nii.gz`,
    split: i < 2 ? 'training' : 'validation',
  }));
  const dataset = {
    layout: 'files',
    modality: 'ct',
    spacing: null,
    foregroundThreshold: null,
    classes: { 1: 'liver', 2: 'tumour' },
    cases,
  };
  const index = { schema: 1, datasets: { ct: dataset } };
  writeFileSync(join(folder, 'datasets.json'), JSON.stringify(index));
  writeFileSync(join(folder, 'experiment.yaml'), stringify(experimentOf(folder, index)));
  if (only.includes('download')) await serveArchive(folder);
  const truth = join(folder, 'truth');
  mkdirSync(truth);
  const seconds = {};
  const made = new Set(only.flatMap((name) => [...(needs[name] ?? []), name]));
  for (const [name, command] of Object.entries(commands).filter(([name]) => made.has(name))) {
    const started = Date.now();
    command.begin?.(folder, join(truth, name));
    const { code, stderr } = await run(command.args(folder, join(truth, name)));
    if (code !== 0) throw new Error(`${name} ended with ${code}: ${stderr}`);
    seconds[name] = (Date.now() - started) / 1000;
  }
  return { folder, truth, seconds };
}

/** Two arms, with networks and steps as few as can be. */
function experimentOf(folder, index) {
  const shared = {
    data: { cropSize: [16, 16, 16], workers: 1 },
    network: { features: [2, 2, 2, 2, 2, 2] },
    train: { batchSize: 2, steps: 2, warmupSteps: 0, checkpointEvery: 1, validateEvery: 0, threads: 1 },
  };
  const { ct } = index.datasets;
  return {
    name: 'tiny',
    seeds: [0],
    arms: [
      { name: 'from scratch', pretrained: false },
      { name: 'pre-trained', pretrained: true },
    ],
    datasets: { ...index, datasets: { ct: { ...ct, path: folder } } },
    pretrain: {
      ...shared,
      network: { ...shared.network, pools: [2, 2, 2, 1] },
      method: { subVolume: 16, patch: 8, region: 16, contrastDim: 8 },
    },
    finetune: { ...shared, network: { ...shared.network, pools: [2, 2, 2, 1] } },
    evaluate: 'validation',
  };
}

/** An archive as the Decathlon's are, on a server of this machine that lives as long as this process. */
async function serveArchive(folder) {
  const task = join(folder, 'archive/Task04_Hippocampus');
  for (const part of ['imagesTr', 'labelsTr']) mkdirSync(join(task, part), { recursive: true });
  writeFileSync(join(task, 'dataset.json'), '{"name": "Hippocampus"}');
  for (const [i, name] of ['imagesTr/a.nii.gz', 'imagesTr/b.nii.gz', 'labelsTr/a.nii.gz'].entries())
    writeFileSync(join(task, name), Buffer.alloc(200_000, `${name} ${i}`));
  const file = join(folder, 'archive.tar');
  await create({ cwd: dirname(task), file, mtime: new Date(0), portable: true }, ['Task04_Hippocampus']);
  const content = readFileSync(file);
  const server = createServer((request, response) => {
    const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
    const [status, range] =
      from > 0
        ? [206, { 'content-range': `bytes ${from}-${content.length - 1}/${content.length}` }]
        : [200, {}];
    response.writeHead(status, { etag: '"1"', 'content-length': content.length - from, ...range });
    // In pieces, so that there are moments within it.
    let at = from;
    const more = () => {
      if (at >= content.length) return response.end();
      response.write(content.subarray(at, at + 40_000));
      at += 40_000;
      setTimeout(more, 10);
    };
    more();
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  server.unref();
  writeFileSync(join(folder, 'mirror'), `http://127.0.0.1:${server.address().port}/msd`);
  writeFileSync(join(folder, 'checksum'), `sha256:${createHash('sha256').update(content).digest('hex')}`);
}

/** What may differ between two runs of one command: clocks, and pictures that hold them. */
const differs = /tfevents|progress\.png|log\.jsonl|reconstructions|report\.html$/;
const timed = /cell\.json$|results\.(json|md)$|figure.*\.(svg|png)$|experiment\.png$/;

/**
 * Every file below a folder by its content, with times left out.
 * @param times names of files of which the content is another one each time
 * @returns a checksum by path; of files that differ each time, whether they are `whole` or `cut`
 */
export function contentOf(folder, times = /^$/) {
  const found = {};
  const single = `${folder}.safetensors`;
  if (existsSync(single)) found.file = createHash('sha256').update(readFileSync(single)).digest('hex');
  if (!existsSync(folder)) return found;
  for (const name of readdirSync(folder, { recursive: true }).sort()) {
    const file = join(folder, name);
    if (!statSync(file).isFile()) continue;
    let bytes = readFileSync(file);
    if (differs.test(name) || timed.test(name) || times.test(name)) {
      found[name] = isWhole(name, bytes) ? 'whole' : 'cut';
      continue;
    }
    if (name.endsWith('metrics.jsonl'))
      bytes = bytes.toString().replaceAll(/"(seconds|waitSeconds)":[^,}]+/g, '');
    // The settings of a project name its own folder.
    if (name.endsWith('.yaml'))
      bytes = bytes.toString('utf8').replaceAll(/\/\S*\/(truth|round-\d+|disk)\//g, '');
    // Paths are relative to what is written, and the outputs lie at other depths.
    if (name.endsWith('.json') || name.endsWith('.hmv'))
      bytes = bytes
        .toString('latin1')
        .replaceAll(/(\.\.\/)+/g, '')
        .replaceAll(/(truth|round|disk)[^"]*?\//g, '');
    found[relative(folder, file)] = createHash('sha256').update(bytes).digest('hex');
  }
  return found;
}

/** How an output differs from the truth, in words; undefined where it does not. */
export function differenceOf(found, truth, { partly = false } = {}) {
  for (const [name, sum] of Object.entries(found)) {
    if (sum === 'cut') return `${name} is cut`;
    // An interrupted run keeps a picture of the step that it stopped at as well.
    if (/tfevents|reconstructions/.test(name)) continue;
    if (!(name in truth)) return `${name} is there, which no whole run leaves`;
    if (sum !== truth[name]) return `${name} is another one`;
  }
  if (partly) return undefined;
  const missing = Object.keys(truth).find((name) => !(name in found) && !/tfevents/.test(name));
  return missing && `${missing} is missing`;
}

/** The arguments that go on with what is there. */
export function againArgs({ args, resumes }, folder, out) {
  const begun = resumes && existsSync(join(out, 'config.yaml'));
  return [...args(folder, out), ...(begun ? ['--resume'] : [])];
}

/** What is wrong with how a command ended, where it did not end well; undefined where it is as promised. */
export function badEnd({ code, signal, stderr }) {
  if (/unexpected failure|node:internal|at file:|Segmentation|core dumped/.test(stderr))
    return `an end that nobody foresaw: ${stderr.slice(-400)}`;
  if (signal) return `ended by ${signal}`;
  if (code !== 0 && !/^hybridmim: \S/m.test(stderr))
    return `exit code ${code} without a sentence: ${stderr.slice(-400)}`;
  return undefined;
}
