import { fork } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Seconds of the processor that one input may take, and of the clock, where others want the processor too. */
const mostSeconds = 5;
const mostWaiting = 120;

/**
 * Bytes that the reading process may have had at most, Node's and TensorFlow's own among them. Each DICOM file is read
 * by a program of its own in WebAssembly, whose memory Node gives back when it likes.
 */
const mostMemory = (format) => (format === 'dicom' ? 4 : 1.5) * 2 ** 30;

/**
 * Gives `count` spoilt inputs of a format to its reader, in a process of its own that is ended where it hangs.
 * @returns counts of what was refused and accepted, every fault, and the peak of memory in bytes
 */
export async function fuzz({ format, count, seed, first, keep }) {
  const folder = mkdtempSync(
    join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), `hybridmim-fuzz-${format}-`),
  );
  const result = { format, count, refused: 0, accepted: 0, changed: 0, slowest: 0, memory: 0, faults: [] };
  let child = await startChild(format, folder, seed);
  try {
    for (let input = first; input < first + count; input++) {
      const answer = await child.ask(input);
      const memory = child.memory();
      result.memory = Math.max(result.memory, memory);
      if (['accepted', 'refused', 'changed'].includes(answer.outcome)) result[answer.outcome]++;
      else result.faults.push({ format, input, why: answer.why });
      result.slowest = Math.max(result.slowest, answer.seconds ?? 0);
      if (answer.seconds > mostSeconds)
        result.faults.push({ format, input, why: `took ${answer.seconds.toFixed(1)} s of the processor` });
      if (memory > mostMemory(format))
        result.faults.push({ format, input, why: `took ${memory} bytes of memory by then` });
      if (answer.ended || memory > mostMemory(format)) {
        child.stop();
        child = await startChild(format, folder, seed);
      }
    }
  } finally {
    child.stop();
    if (!keep || result.faults.length === 0) rmSync(folder, { recursive: true, force: true });
    else result.folder = folder;
  }
  return result;
}

async function startChild(format, folder, seed) {
  const script = fileURLToPath(new URL('fuzz-child.mjs', import.meta.url));
  const child = fork(script, [format, folder, String(seed)], {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    env: { ...process.env, TF_CPP_MIN_LOG_LEVEL: '3' },
  });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text) => {
    said = (said + text).slice(-4000);
  });
  /** The next message, or what became of the process. */
  const next = (seconds) =>
    new Promise((resolve) => {
      const done = (answer) => {
        clearTimeout(timer);
        child.off('message', done).off('exit', ended);
        resolve(answer);
      };
      const ended = (code, signal) =>
        done({ outcome: 'fault', ended: true, why: `ended by ${signal ?? code}: ${said}` });
      const timer = setTimeout(
        () => done({ outcome: 'fault', ended: true, why: `gave no answer in ${seconds} s` }),
        1000 * seconds,
      );
      child.once('message', done).once('exit', ended);
    });
  const started = await next(300);
  if (!started.ready) throw new Error(`the reader of ${format} did not start: ${started.why}`);
  return {
    ask: (input) => {
      const answer = next(mostWaiting);
      child.send({ input });
      return answer;
    },
    memory: () => peakOf(child.pid),
    stop: () => child.kill('SIGKILL'),
  };
}

/** Bytes that a process has had in memory at most; 0 where the system does not say. */
function peakOf(pid) {
  try {
    return 1024 * Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0);
  } catch {
    return 0;
  }
}
