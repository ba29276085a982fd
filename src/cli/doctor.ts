import type { Check } from './check.js';
import type { Command } from './context.js';
import { environmentChecks, type Runtime, runtimeChecks } from './doctor-checks.js';

interface Flags {
  readonly json: boolean;
}

/** What `doctor --json` prints; other people's scripts read it. */
interface Diagnosis {
  readonly schema: 1;
  readonly ok: boolean;
  /** null when the runtime does not load. */
  readonly runtime: Runtime | null;
  readonly node: string;
  readonly threads: number;
  /** Whether the hardware itself multiplies bfloat16. */
  readonly bf16: boolean;
  readonly checks: readonly Check[];
}

export const doctorCommand: Command<Flags> = {
  command: 'doctor',
  describe:
    'What runtime, devices, precision, disk and memory there are, and what to do about what is missing',
  flags: (yargs) =>
    yargs.option('json', {
      type: 'boolean',
      default: false,
      describe: 'print the diagnosis as JSON on standard output',
    }),
  run: async ({ json }, { result }) => {
    const { runtime, threads, bf16, checks } = await runtimeChecks();
    const all = [...environmentChecks(), ...checks];
    const diagnosis: Diagnosis = {
      schema: 1,
      ok: all.every(({ ok }) => ok),
      runtime,
      node: process.versions.node,
      threads,
      bf16,
      checks: all,
    };
    result(diagnosis, diagnosisText(diagnosis), json);
    process.exitCode = diagnosis.ok ? 0 : 1;
  },
};

function diagnosisText({ ok, checks }: Diagnosis): string {
  const width = Math.max(...checks.map(({ name }) => name.length));
  const lines = checks.flatMap(({ name, ok: passed, message, remedy }) => [
    `${passed ? 'ok  ' : 'FAIL'} ${name.padEnd(width)}  ${message}`,
    ...(remedy ? [`${' '.repeat(width + 7)}${passed ? 'note' : 'do'}: ${remedy}`] : []),
  ]);
  return [...lines, ok ? 'everything works' : 'something is wrong: see the lines marked FAIL'].join('\n');
}
