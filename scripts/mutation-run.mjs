// Breaks the sources of the method in one small way at a time and looks whether a test notices. See docs/testing.md.
// Usage: node scripts/mutation-run.mjs [--files a.ts,b.ts] [--sample N] [--seed S] [--results file.jsonl] [--list]
// Run again with the same --results it goes on: what was killed is not run again, and survivors only where their test files have changed.
import { fork, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { mutantOfPath, mutatedFiles, testsOf } from './mutation/coverage.mjs';
import { isProgram, mutantsOf, withLoopsGuarded } from './mutation/mutants.mjs';

const { values: flags } = parseArgs({
  options: {
    files: { type: 'string' },
    sample: { type: 'string' },
    seed: { type: 'string', default: '0' },
    results: { type: 'string', default: 'mutation-results.jsonl' },
    list: { type: 'boolean', default: false },
  },
});

/** Mutants of one process: enough that loading TensorFlow is soon paid for, few enough that its memory stays small. */
const BATCH = 40;
const PROCESSES = 2;
/** A test file takes up to 15 seconds; where a process says nothing for this long, something waits that no loop guard sees. */
const SILENCE_MS = 120_000;

const hash = (...texts) => createHash('sha256').update(texts.join('\0')).digest('hex').slice(0, 16);
const sources = new Map(allFiles('src').map((file) => [file, readFileSync(file, 'utf8')]));
const importers = reverseImports();
const chosen = flags.files?.split(',') ?? mutatedFiles();
for (const file of chosen) if (!sources.has(file)) throw new Error(`--files: there is no ${file}`);
const drawn = sampled(chosen.flatMap(mutantsOfFile));
if (flags.list) {
  for (const { file, line, kind, original, replacement } of drawn)
    console.log(`${file}:${line} ${kind}: ${shown(original)} -> ${shown(replacement)}`);
  console.log(`${drawn.length} mutants`);
  process.exit(0);
}
const scratch = scratchCopy();
const hashes = new Map();
const running = new Set();
process.on('exit', () => {
  for (const child of running) stop(child);
  rmSync(scratch, { recursive: true, force: true });
});
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(130));

const began = Date.now();
const done = earlierResults();
const open = drawn.filter(({ id }) => !done.has(id));
rejectWhatDoesNotCompile(open);
await requireThatUnchangedSourcesPass(open);
await runAll(open.filter(({ id }) => !done.has(id)));
report(drawn);

/** Every mutant of a file, with a name that stays the same while the file does. */
function mutantsOfFile(file) {
  const text = sources.get(file);
  return mutantsOf(text).map((mutant) => ({
    ...mutant,
    file,
    id: `${hash(file, text)}-${hash(`${mutant.start}-${mutant.end}-${mutant.replacement}`)}`,
  }));
}

/** `--sample` of them, by a hash with the seed, so that a sample is the same on every machine and a larger one holds the smaller one. */
function sampled(mutants) {
  if (flags.sample === undefined) return mutants;
  const place = ({ id }) => hash(flags.seed, id);
  const taken = new Set(
    mutants.toSorted((a, b) => (place(a) < place(b) ? -1 : 1)).slice(0, Number(flags.sample)),
  );
  return mutants.filter((mutant) => taken.has(mutant));
}

/** Results of earlier runs that still hold: a changed source is another mutant, and changed tests may kill a survivor. */
function earlierResults() {
  const results = new Map();
  if (!existsSync(flags.results)) return results;
  for (const line of readFileSync(flags.results, 'utf8').split('\n').filter(Boolean)) {
    const result = JSON.parse(line);
    if (result.state === 'survived' && result.tests !== testsHash(result.file)) results.delete(result.id);
    else results.set(result.id, result);
  }
  return results;
}

/** Of the test files of a source file and what they share, as they were when this run began. */
function testsHash(file) {
  if (!hashes.has(file))
    hashes.set(
      file,
      hash(
        ...testsOf(file)
          .flatMap((test) => [test, ...besideTest(test)])
          .map((name) => readFileSync(join(scratch, name), 'utf8')),
      ),
    );
  return hashes.get(file);
}

/** What lies beside a test file and is no test file: its helpers. */
function besideTest(test) {
  const names = readdirSync(join(scratch, dirname(test))).filter(
    (name) => name.endsWith('.ts') && !name.endsWith('.test.ts'),
  );
  return names.map((name) => join(dirname(test), name));
}

function record(mutant, state, by = '', ms = 0) {
  const { start: _, end: __, ...told } = mutant;
  const result = { ...told, state, by: by.split('\n')[0].slice(0, 300), ms, tests: testsHash(mutant.file) };
  done.set(mutant.id, result);
  appendFileSync(flags.results, `${JSON.stringify(result)}\n`);
}

/** A copy of the checkout to break: the sources and tests themselves, the rest as links. */
function scratchCopy() {
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'mutation-')));
  for (const name of ['src', 'test', 'package.json', 'tsconfig.json'])
    cpSync(name, join(root, name), { recursive: true });
  for (const name of ['node_modules', '.runtime', 'configs', 'bin'].filter((name) => existsSync(name)))
    symlinkSync(realpathSync(name), join(root, name));
  return root;
}

function changed({ file, start, end, replacement }) {
  const text = sources.get(file);
  return text.slice(0, start) + replacement + text.slice(end);
}

/**
 * The folder of one mutant: its broken file, copies of all that imports it, of its tests and of what these share, and links to the rest.
 * What is linked is loaded once for all mutants, and with it TensorFlow.
 */
function writeMutant(mutant, name) {
  const folder = join(scratch, 'mutants', name);
  const copied = new Set([mutant.file, ...importersOf(mutant.file)]);
  for (const file of copied) {
    mkdirSync(join(folder, dirname(file)), { recursive: true });
    writeFileSync(
      join(folder, file),
      file === mutant.file ? withLoopsGuarded(changed(mutant)) : sources.get(file),
    );
  }
  linkTheRest('src', folder);
  const tests = mutant.tests ?? testsOf(mutant.file);
  for (const test of tests) {
    mkdirSync(join(folder, dirname(test)), { recursive: true });
    for (const file of [test, ...besideTest(test)]) cpSync(join(scratch, file), join(folder, file));
  }
  return tests.map((test) => join(folder, test));
}

function linkTheRest(path, folder) {
  for (const name of readdirSync(path)) {
    const [here, there] = [join(path, name), join(folder, path, name)];
    if (!existsSync(there)) symlinkSync(join(scratch, here), there);
    else if (!here.endsWith('.ts')) linkTheRest(here, folder);
  }
}

/** All mutants go through one run of the type checker; what a type error stands in is no program, and says nothing of the tests. */
function rejectWhatDoesNotCompile(mutants) {
  const parsed = mutants.filter((mutant) => isProgram(changed(mutant)));
  for (const mutant of mutants) if (!parsed.includes(mutant)) record(mutant, 'does not compile');
  const nameOf = ({ file, id }) => file.replace(/\.ts$/, `.mutant-${id}.ts`);
  for (const mutant of parsed) writeFileSync(join(scratch, nameOf(mutant)), changed(mutant));
  const config = {
    extends: './tsconfig.json',
    compilerOptions: { noUnusedLocals: false, noUnusedParameters: false },
    include: [],
    files: parsed.map(nameOf),
  };
  writeFileSync(join(scratch, 'tsconfig.mutants.json'), JSON.stringify(config));
  const { stdout, error } = spawnSync(
    'node_modules/.bin/tsc',
    ['-p', 'tsconfig.mutants.json', '--pretty', 'false'],
    {
      cwd: scratch,
      maxBuffer: 2 ** 28,
    },
  );
  if (error) throw error;
  const failed = new Set(
    Array.from(stdout.toString().matchAll(/^(\S+\.mutant-\S+\.ts)\(/gm), ([, file]) => file),
  );
  for (const mutant of parsed) {
    rmSync(join(scratch, nameOf(mutant)));
    if (failed.has(nameOf(mutant))) record(mutant, 'does not compile');
  }
}

/** The same tests in the same way on the sources as they are: a test that fails there would kill every mutant. */
async function requireThatUnchangedSourcesPass(mutants) {
  const toRun = mutants.filter(({ id }) => !done.has(id));
  const byTests = new Map(toRun.map(({ file }) => [testsOf(file).join(), file])); // files of the same tests need them once
  const unchanged = Array.from(byTests.values(), (file) => ({
    file,
    id: `unchanged-${hash(file)}`,
    start: 0,
    end: 0,
    replacement: '',
  }));
  const outcomes = await runBatch(unchanged);
  for (const { file, id } of unchanged) {
    const { state, by } = outcomes.get(id);
    if (state !== 'survived') throw new Error(`the tests of ${file} fail without any change to it: ${by}`);
  }
  process.stderr.write(
    `the tests pass on the sources as they are, ${Math.round((Date.now() - began) / 1000)} s\n`,
  );
}

async function runAll(mutants) {
  const queue = [];
  for (let i = 0; i < mutants.length; i += BATCH) queue.push(mutants.slice(i, i + BATCH));
  let finished = 0;
  const work = async () => {
    for (let batch = queue.shift(); batch; batch = queue.shift()) {
      for (const [id, { state, by, ms }] of await trustedOutcomes(batch)) {
        const mutant = batch.find((one) => one.id === id);
        record(mutant, state, by, ms);
        finished++;
      }
      process.stderr.write(
        `${finished} of ${mutants.length} mutants, ${Math.round((Date.now() - began) / 1000)} s\n`,
      );
    }
  };
  await Promise.all(Array.from({ length: PROCESSES }, work));
}

/**
 * What became of a batch. Behind it the cheapest tests are run on the unchanged source in the same process: where they fail, a mutant left the process in a bad
 * state and may have killed those behind it, so that each is run in a process of its own.
 */
async function trustedOutcomes(batch) {
  const { file } = batch.at(-1);
  const control = {
    file,
    id: `control-${batch[0].id}`,
    start: 0,
    end: 0,
    replacement: '',
    tests: testsOf(file).slice(0, 1),
  };
  const outcomes = await runBatch([...batch, control]);
  const { state } = outcomes.get(control.id);
  outcomes.delete(control.id);
  if (state === 'survived') return outcomes;
  process.stderr.write(
    `a mutant of ${batch[0].file} to ${batch.at(-1).file} disturbs its process: each goes into one of its own\n`,
  );
  for (const mutant of batch) outcomes.set(mutant.id, (await runBatch([mutant])).get(mutant.id));
  return outcomes;
}

/** Runs mutants one after the other; where a process ends or falls silent, the mutant it was at counts as killed and a new one goes on. */
async function runBatch(mutants) {
  const outcomes = new Map();
  let rest = mutants;
  while (rest.length > 0) {
    await runProcess(rest, outcomes);
    rest = rest.filter(({ id }) => !outcomes.has(id));
  }
  return outcomes;
}

function runProcess(mutants, outcomes) {
  const files = mutants.flatMap((mutant) => writeMutant(mutant, mutant.id));
  const left = new Map(
    mutants.map(({ id }) => [id, files.filter((file) => mutantOfPath(file) === id).length]),
  );
  return new Promise((resolve) => {
    const child = fork(new URL('./mutation/batch.mjs', import.meta.url), {
      cwd: scratch,
      detached: true,
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    running.add(child);
    let [at, since] = [mutants[0].id, Date.now()];
    let alarm;
    const watch = () => {
      clearTimeout(alarm);
      alarm = setTimeout(() => stop(child), SILENCE_MS);
    };
    watch();
    child.on('message', ({ starts, ends, ok, by }) => {
      watch();
      const id = mutantOfPath(starts ?? ends);
      if (starts) {
        if (id !== at) [at, since] = [id, Date.now()];
        return;
      }
      left.set(id, left.get(id) - 1);
      if (outcomes.has(id)) return;
      if (!ok) outcomes.set(id, { state: 'killed', by, ms: Date.now() - since });
      else if (left.get(id) === 0) outcomes.set(id, { state: 'survived', ms: Date.now() - since });
    });
    child.on('exit', () => {
      clearTimeout(alarm);
      running.delete(child);
      const unfinished = mutants.filter(({ id }) => !outcomes.has(id));
      if (unfinished.length > 0) {
        const guilty = unfinished.find(({ id }) => id === at) ?? unfinished[0];
        outcomes.set(guilty.id, {
          state: 'killed',
          by: 'the process ended or fell silent',
          ms: Date.now() - since,
        });
      }
      for (const { id } of mutants) rmSync(join(scratch, 'mutants', id), { recursive: true, force: true });
      resolve();
    });
    child.send({ root: scratch, files });
  });
}

/** Ends a process and the test worker that it started. */
function stop(child) {
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch (error) {
    if (error.code !== 'ESRCH') throw error; // it has ended by itself
  }
}

function report(mutants) {
  const results = mutants.map(({ id }) => done.get(id));
  const of = (list, state) => list.filter((result) => result.state === state).length;
  const row = (name, list) => {
    const [killed, survived] = [of(list, 'killed'), of(list, 'survived')];
    const share = killed + survived > 0 ? `${((100 * killed) / (killed + survived)).toFixed(1)} %` : '-';
    return `| ${name} | ${killed} | ${survived} | ${list.length - killed - survived} | ${share} |`;
  };
  console.log(
    '| file | killed | survived | does not compile | killed of those that run |\n|:--|--:|--:|--:|--:|',
  );
  for (const file of new Set(mutants.map((mutant) => mutant.file)))
    console.log(
      row(
        file,
        results.filter((result) => result.file === file),
      ),
    );
  console.log(row('all', results));
  for (const { file, line, kind, original, replacement } of results.filter(
    ({ state }) => state === 'survived',
  )) {
    console.log(`survived: ${file}:${line} ${kind}: ${shown(original)} -> ${shown(replacement)}`);
  }
}

function shown(text) {
  const line = text.replace(/\s+/g, ' ');
  return line.length > 90 ? `${line.slice(0, 87)}...` : line;
}

function allFiles(folder) {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => join(entry.parentPath, entry.name));
}

/** For each source file, those that import it: read from their `from '...'` and `import('...')`. */
function reverseImports() {
  const by = new Map(Array.from(sources.keys(), (file) => [file, new Set()]));
  for (const [file, text] of sources) {
    for (const [, path] of text.matchAll(/(?:from |import\()'(\.[^']+)\.js'/g))
      by.get(join(dirname(file), `${path}.ts`))?.add(file);
  }
  return by;
}

function importersOf(file, found = new Set()) {
  for (const importer of importers.get(file)) {
    if (found.has(importer)) continue;
    found.add(importer);
    importersOf(importer, found);
  }
  return found;
}
