// Spoilt inputs of every format through the command line, as users give them.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { parse, stringify } from 'yaml';
import { readPreparedIndex, readPreparedVolume } from '../../dist/dataset/index.js';
import { readSafetensors, writeSafetensors } from '../../dist/network/index.js';
import { randomStream } from '../../dist/random/streams.js';
import { commands } from './commands.mjs';
import { copySpoilt } from './copy-spoilt.mjs';
import { cut, editBytes, editJson, editText, oneOf, turnBits } from './mutations.mjs';
import { sameValues, scanFiles, scanSamples, sorted, spoilt } from './spoilt-scans.mjs';
import { editedHeader } from './targets.mjs';
import { badEnd, makeWorld, measuredRun } from './world.mjs';

/** Inputs of one part of the work; scans are given to one call of a command together. */
export const setSize = 50;

/** Bytes and seconds of the processor that one call may take; a call for a set takes the seconds for each scan. */
const mostMemory = 2 * 2 ** 30;
const mostSeconds = 30;

/** Formats by what spoils and reads them. */
export const lineFormats = [
  ...Object.keys(scanFiles),
  'safetensors',
  'weights',
  'yaml',
  'index',
  'cache',
  'run',
  'evaluation',
];

/** Makes what commands work on, once for all inputs; `close` removes it. */
export async function openCommandLine() {
  const folder = mkdtempSync(join(tmpdir(), 'hybridmim-line-'));
  const world = await makeWorld(folder, ['finetune', 'evaluate']);
  return {
    give: (part) => give({ world, folder, ...part }),
    close: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/**
 * Gives `count` spoilt inputs of a format to commands. Each must end in a sentence or with what is true; what
 * `prepare --check` calls unusable must be what `prepare` and `predict` leave out.
 */
async function give({ world, folder, format, seed, first, count }) {
  const row = { format, count, calls: 0, refused: 0, accepted: 0, slowest: 0, memory: 0, faults: [] };
  const call = async (input, args, inputs = 1) => {
    const result = await measuredRun(args);
    row.calls++;
    row.slowest = Math.max(row.slowest, result.seconds / inputs);
    row.memory = Math.max(row.memory, result.memory);
    const fault = (why) => row.faults.push({ format, input, why });
    // With --json what went wrong with each case stands in the result.
    const said = args.includes('--json') && result.code === 3 && result.stdout.startsWith('{');
    const end = badEnd(said ? { ...result, code: 0 } : result);
    if (end) fault(`${args.slice(0, 2).join(' ')}: ${end}`);
    if (result.seconds > mostSeconds * inputs) fault(`${args[0]} took ${result.seconds} s`);
    if (result.memory > mostMemory) fault(`${args[0]} took ${result.memory} bytes of memory`);
    return { ...result, fault };
  };
  const given = { world, row, call, seed, format, folder, first, count };
  if (format in scanFiles) await ofScans(given);
  else {
    const ask = await readers[format](given);
    for (let input = first; input < first + count; input++) {
      const random = randomStream(seed, 'phantom', lineFormats.indexOf(format), input);
      const own = mkdtempSync(join(folder, 'input-'));
      const code = await ask(random, own, input);
      row[code === 0 ? 'accepted' : 'refused']++;
      rmSync(own, { recursive: true });
    }
  }
  return row;
}

async function ofScans({ world, row, call, seed, format, first, count, folder }) {
  const samples = await scanSamples(scanFiles[format]);
  const own = mkdtempSync(join(folder, 'set-'));
  const scans = Array.from({ length: count }, (_, i) => {
    const random = randomStream(seed, 'phantom', lineFormats.indexOf(format), first + i);
    const sample = oneOf(random, samples);
    const { way, files, harmless } = spoilt(random, sample, format === 'gzip');
    const id = `s${first + i}`;
    const scan = join(own, 'scans', id);
    mkdirSync(scan, { recursive: true });
    for (const { name, bytes } of files) writeFileSync(join(scan, name), bytes);
    const image = sample.isFolder ? scan : join(scan, files[0].name);
    return { id, image, harmless, truth: sample.truth, what: `${way} of ${sample.path}` };
  });
  const dataset = {
    layout: 'files',
    modality: 'mr',
    intensity: 'none',
    spacing: null,
    foregroundThreshold: null,
    cases: scans.map(({ id, image }) => ({ id, image, split: 'training' })),
  };
  const index = join(own, 'datasets.json');
  writeFileSync(index, JSON.stringify({ schema: 1, datasets: { d: dataset } }));
  const out = join(own, 'prepared');
  const about = ['--datasets', index, '--json'];
  const n = scans.length;
  const checked = await call(first, ['prepare', '--check', ...about], n);
  const made = await call(first, ['prepare', ...about, '--out', out, '--workers', '1'], n);
  const unusable = new Map(
    linesOf(checked, 'findings')
      .filter(({ severity }) => severity === 'unusable')
      .map(({ id, message }) => [id.split('/').pop(), message]),
  );
  const skipped = new Map(linesOf(made, 'skipped').map(({ id, reason }) => [id.split('/').pop(), reason]));
  const cases = made.code === 0 || skipped.size < n ? (await readPreparedIndex(out)).cases : [];
  for (const scan of scans) {
    const fault = (why) => row.faults.push({ format, input: scan.id, why: `${scan.what}: ${why}` });
    const [found, left] = [unusable.get(scan.id), skipped.get(scan.id)];
    if ((found === undefined) !== (left === undefined))
      fault(`--check says ${found ?? 'nothing'}; prepare says ${left ?? 'nothing'}`);
    row[left === undefined ? 'accepted' : 'refused']++;
    if (left !== undefined) continue;
    const prepared = cases.find(({ name }) => name === scan.id);
    if (!prepared) fault('it is neither prepared nor named');
    else if (scan.harmless) {
      const { image } = await readPreparedVolume(out, prepared);
      const truth = Float32Array.from(scan.truth.data);
      if (scan.harmless.refused) fault(`accepted, but ${scan.harmless.why}`);
      if (!sameValues({ data: sorted(image.data) }, { data: sorted(truth) }))
        fault('prepared with other voxels than the truth');
    }
  }
  await predicted({ world, row, call, first, own, scans, unusable });
  rmSync(own, { recursive: true });
}

/** What `--check` could not read must not be predicted; a scan that is bad must not end the others. */
async function predicted({ world, row, call, first, own, scans, unusable }) {
  const out = join(own, 'predictions');
  const input = join(own, 'scans');
  const args = ['predict', '--run', join(world.truth, 'finetune'), '--input', input, '--out', out];
  const { code, stderr } = await call(first, args, scans.length);
  const names = new Set(filesIn(out).map((file) => /s\d+/.exec(file)?.[0]));
  if (code === 2 || (code !== 0 && !/scans could not be predicted/.test(stderr)))
    row.faults.push({
      format: row.format,
      input: first,
      why: `predict ended the set: ${stderr.slice(-300)}`,
    });
  for (const { id, what } of scans)
    if (names.has(id) && unusable.has(id) && !/spacing|field of view/.test(unusable.get(id)))
      row.faults.push({
        format: row.format,
        input: id,
        why: `${what}: predicted, but --check says ${unusable.get(id)}`,
      });
}

function filesIn(folder) {
  try {
    return readdirSync(folder, { recursive: true });
  } catch {
    return [];
  }
}

/** A list of what a command says in JSON; empty where it ended before. */
function linesOf({ stdout }, key) {
  return stdout.startsWith('{') ? JSON.parse(stdout)[key] : [];
}

/** Each: a reader of one input, which gives the exit code of the command. */
const readers = {
  safetensors: async ({ world, call, folder }) => {
    const whole = readFileSync(join(world.truth, 'finetune/checkpoints/last.safetensors'));
    const exported = async (input, from, to) =>
      call(input, ['weights', 'export', '--network', 'unet', '--from', from, '--to', to]);
    const truthFile = join(folder, 'truth.safetensors');
    await exported('truth', join(world.truth, 'finetune/checkpoints/last.safetensors'), truthFile);
    const truth = await readSafetensors(truthFile);
    return async (random, own, input) => {
      const [from, to] = ['from', 'to'].map((name) => join(own, `${name}.safetensors`));
      const bytes = oneOf(random, [turnBits, cut, editBytes, editedHeader])(random, whole);
      writeFileSync(from, bytes);
      const { code, fault } = await exported(input, from, to);
      const sound = code !== 0 || !bytes.includes('"contentSha256"');
      if (!sound && !isDeepStrictEqual({ ...(await readSafetensors(to)).arrays }, { ...truth.arrays }))
        fault('exported with other weights than the truth');
      return code;
    };
  },
  weights: async ({ world, call, folder }) => {
    const { arrays, metadata } = await readSafetensors(
      join(world.truth, 'finetune/checkpoints/last.safetensors'),
    );
    return async (random, own, input) => {
      const file = join(own, 'w.safetensors');
      const facts = Object.fromEntries(Object.entries(metadata).map(([key, text]) => [key, parsedOr(text)]));
      delete facts.contentSha256;
      const edited = editJson(random, facts) ?? {};
      const texts = Object.entries(edited).map(([key, value]) => {
        const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
        return [key, random.integer(8) ? text : editText(random, text)];
      });
      await writeSafetensors(file, arrays, Object.fromEntries(texts));
      const scan = join(folder, 'scans/a.nii.gz');
      const settings = ['--network', 'unet', '--set', 'inference.window=[16,16,16]'];
      const out = join(own, 'out.nii.gz');
      return (await call(input, ['predict', '--weights', file, ...settings, '--input', scan, '--out', out]))
        .code;
    };
  },
  yaml: async ({ world, call, folder }) => {
    // What a run keeps beside its settings is no setting.
    const { init: _, ...whole } = parse(readFileSync(join(world.truth, 'finetune/config.yaml'), 'utf8'));
    const text = stringify(whole);
    return async (random, own, input) => {
      const file = join(own, 'config.yaml');
      writeFileSync(
        file,
        random.integer(2) ? editText(random, text) : stringify(editJson(random, whole) ?? null),
      );
      // No program can be given an argument with a null byte.
      const set = random.integer(3) ? [] : ['--set', editText(random, 'train.steps=10').replaceAll('\0', '')];
      const where = ['--set', `data.prepared=${join(folder, 'truth/prepare')}`];
      return (await call(input, ['finetune', '--config', file, ...set, ...where, '--dry-run'])).code;
    };
  },
  index: async ({ call, folder }) => {
    const whole = JSON.parse(readFileSync(join(folder, 'datasets.json'), 'utf8'));
    whole.datasets.ct.path = folder;
    return async (random, own, input) => {
      const file = join(own, 'datasets.json');
      const edited = JSON.stringify(random.integer(4) ? editJson(random, whole) : whole, null, 1);
      writeFileSync(file, random.integer(3) ? edited : editText(random, edited));
      const about = ['--datasets', file, '--json'];
      const checked = await call(input, ['prepare', '--check', ...about]);
      const made = await call(input, ['prepare', ...about, '--out', join(own, 'p'), '--workers', '1']);
      const bad = linesOf(checked, 'findings').filter(({ severity }) => severity === 'unusable');
      const ids = [...new Set(bad.map(({ id }) => id))].sort();
      const skipped = linesOf(made, 'skipped').map(({ id }) => id);
      if (made.stdout.startsWith('{') && !isDeepStrictEqual(ids, skipped.sort()))
        made.fault(`--check finds ${ids} unusable, prepare skips ${skipped}`);
      if ((checked.code === 0) !== (made.code === 0))
        made.fault(
          `--check ends with ${checked.code}, prepare with ${made.code}: ${made.stderr.slice(-300)}`,
        );
      return made.code;
    };
  },
  cache: async ({ call, folder }) => {
    const truth = join(folder, 'truth/prepare');
    const names = readdirSync(truth, { recursive: true }).filter((name) => /\.(json|hmv)$/.test(name));
    return async (random, own, input) => {
      const at = join(own, 'prepared');
      copySpoilt(random, truth, at, names);
      const training = [...commands.finetune.args(folder, join(own, 'run')), '--set', `data.prepared=${at}`];
      const args = oneOf(random, [
        commands.prepare.args(folder, at),
        [...training, '--set', 'train.steps=1'],
      ]);
      return (await call(input, args)).code;
    };
  },
  run: async ({ world, call, folder }) => {
    const truth = join(world.truth, 'finetune');
    const names = readdirSync(truth, { recursive: true }).filter((name) =>
      /\.(json|jsonl|yaml|safetensors)$/.test(name),
    );
    return async (random, own, input) => {
      const run = join(own, 'run');
      const name = copySpoilt(random, truth, run, names);
      const args = oneOf(random, [
        ['report', '--from', own, '--out', join(own, 'report.html')],
        ['predict', '--run', run, '--input', join(folder, 'scans/a.nii.gz'), '--out', join(own, 'a.nii.gz')],
        [...commands.finetune.args(folder, run), '--resume'],
        ['evaluate', '--run', run],
        ['watch', run, '--once'],
      ]);
      const { code, fault } = await call(input, args);
      if (code === 0 && args[0] === 'finetune' && name.endsWith('.safetensors')) {
        const found = await readSafetensors(join(run, 'checkpoints/last.safetensors')).catch(fault);
        const wanted = await readSafetensors(join(truth, 'checkpoints/last.safetensors'));
        if (found && !isDeepStrictEqual({ ...found.arrays }, { ...wanted.arrays }))
          fault(`--resume after ${name} was spoilt ends with other weights`);
      }
      return code;
    };
  },
  evaluation: async ({ call, folder }) => {
    const whole = JSON.parse(readFileSync(join(folder, 'truth/evaluate/evaluation.json'), 'utf8'));
    return async (random, own, input) => {
      const file = join(own, 'from', 'evaluation.json');
      mkdirSync(dirname(file));
      const text = JSON.stringify(editJson(random, whole), null, 1) ?? '';
      writeFileSync(file, random.integer(4) ? text : editText(random, text));
      const out = ['--out', join(own, 'report.html'), '--tables', join(own, 'tables')];
      return (await call(input, ['report', '--from', dirname(file), ...out])).code;
    };
  },
};

function parsedOr(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
