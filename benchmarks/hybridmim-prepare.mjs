// Our side of prepare.mjs, in a process of its own: prepares a dataset index, reads crops of a prepared volume, or asks the crop loader for batches.
// Prints one line of JSON.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { openChunkedFile } from '../dist/dataset/cache/chunked-file.js';
import { openCropLoader, prepareDatasets } from '../dist/dataset/index.js';

/** The kernel's own peak of this process. */
const peakBytes = () => 1024 * Number(/VmHWM:\s*(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))[1]);

const tasks = {
  prepare: async ({ datasetsFile, out }) => {
    const start = performance.now();
    const seconds = [];
    let last = start;
    const onProgress = ({ state, reason }) => {
      if (state !== 'prepared') throw new Error(reason ?? state);
      seconds.push((performance.now() - last) / 1000);
      last = performance.now();
    };
    await prepareDatasets({ datasetsFile, out, workers: 1, onProgress });
    return { seconds };
  },
  crops: ({ prepared, image, side, count }) => {
    const seconds = [];
    let next = 1;
    const draw = (limit) => {
      next = (next * 48271) % 2147483647; // the places are all that is random here
      return next % limit;
    };
    for (let i = 0; i < count; i++) {
      const start = performance.now();
      const open = openChunkedFile(join(prepared, image));
      const crop = open.readBox(
        open.header.size.map((n) => draw(n - side + 1)),
        [side, side, side],
      );
      open.close();
      seconds.push((performance.now() - start) / 1000);
      if (crop.length !== side ** 3) throw new Error('a crop of another size');
    }
    return { seconds };
  },
  loader: async ({ prepared, side, count, workers }) => {
    const choice = {
      preparedDir: prepared,
      split: 'all',
      cropSize: [side, side, side],
      batchSize: 1,
      seed: 0,
      withLabels: false,
    };
    const loader = await openCropLoader({ ...choice, workers, prefetch: 2 * workers });
    await loader.batch(0); // the threads have begun
    const start = performance.now();
    for (let step = 1; step <= count; step++) await loader.batch(step);
    const seconds = [(performance.now() - start) / 1000 / count];
    await loader.close();
    return { seconds };
  },
};
const [task, options] = process.argv.slice(2);
const before = peakBytes();
const cpuBefore = process.cpuUsage();
const result = await tasks[task](JSON.parse(options));
const { user, system } = process.cpuUsage(cpuBefore);
console.log(
  JSON.stringify({
    ...result,
    cpuSeconds: (user + system) / 1e6,
    peakBytes: peakBytes(),
    growthBytes: peakBytes() - before,
  }),
);
