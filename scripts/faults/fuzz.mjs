import { fork } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Seconds of the processor that one input may take, and of the clock, where others want the processor too. */
const mostSeconds = 5;
const mostWaiting = 600;

/**
 * Bytes that the reading process may have had at most, Node's and TensorFlow's own among them. Each DICOM file is read
 * by a program of its own in WebAssembly, whose memory Node gives back when it likes.
 */
const mostMemory = (format) => (format === 'dicom' ? 4 : 1.5) * 2 ** 30;

/**
 * A process that reads spoilt inputs of any format, and is ended where it hangs or holds too much. `give` has the counts of
 * what was refused and accepted, every fault, and the peak of memory in bytes.
 * @param keep whether what a fault was found in stays, below the folder that is named
 */
export function openReader({ seed, keep }) {
  const folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'hybridmim-fuzz-'));
  let child;
  let children = 0;
  let found = 0;
  const start = () => {
    const own = join(folder, `${children++}`);
    mkdirSync(own);
    return startChild(own, seed);
  };
  const give = async ({ format, first, count }) => {
    const result = { format, count, refused: 0, accepted: 0, changed: 0, slowest: 0, memory: 0, faults: [] };
    child?.forgetPeak();
    for (let input = first; input < first + count; input++) {
      child ??= await start();
      const answer = await child.ask(format, input);
      const memory = child.memory();
      result.memory = Math.max(result.memory, memory);
      if (['accepted', 'refused', 'changed'].includes(answer.outcome)) result[answer.outcome]++;
      else result.faults.push({ format, input, why: answer.why });
      result.slowest = Math.max(result.slowest, answer.seconds ?? 0);
      if (answer.seconds > mostSeconds)
        result.faults.push({ format, input, why: `took ${answer.seconds.toFixed(1)} s of the processor` });
      if (memory > mostMemory(format))
        result.faults.push({ format, input, why: `took ${memory} bytes of memory by then` });
      if (!answer.ended && memory <= mostMemory(format)) continue;
      child.stop();
      child = undefined;
    }
    // What the programs in WebAssembly hold is no matter of the other formats.
    if (format === 'dicom') {
      child?.stop();
      child = undefined;
    }
    found += result.faults.length;
    return result;
  };
  const close = () => {
    child?.stop();
    if (!keep || found === 0) rmSync(folder, { recursive: true, force: true });
    else process.stderr.write(`what faults were found in: ${folder}\n`);
  };
  return { give, close };
}

async function startChild(folder, seed) {
  const script = fileURLToPath(new URL('fuzz-child.mjs', import.meta.url));
  const child = fork(script, [folder, String(seed)], {
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
  if (!started.ready) throw new Error(`the reader did not start: ${started.why}`);
  return {
    ask: (format, input) => {
      const answer = next(mostWaiting);
      child.send({ format, input });
      return answer;
    },
    memory: () => peakOf(child.pid),
    forgetPeak: () => {
      try {
        writeFileSync(`/proc/${child.pid}/clear_refs`, '5');
      } catch {
        // The peak is then that of all formats so far.
      }
    },
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
