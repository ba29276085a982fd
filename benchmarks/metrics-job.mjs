// One measurement of benchmarks/metrics.mjs in a process of its own, so that its peak memory is its own.
import { join } from 'node:path';
import { evaluateFiles } from '../dist/evaluation/evaluate-files.js';
import { defaultFurtherMetrics, hd95 } from '../dist/evaluation/index.js';
import { writeNifti } from '../dist/volume/index.js';

const { what, size, spacing, folder } = JSON.parse(process.argv[2]);
const affine = { rows: [spacing[0], 0, 0, 0, 0, spacing[1], 0, 0, 0, 0, spacing[2], 0] };

/** Sets `value` where a voxel lies in the ellipsoid; centre and radii as shares of the sides. */
function drawEllipsoid(data, value, centre, radii) {
  const [nx, ny, nz] = size;
  const [cx, cy, cz] = centre.map((share, axis) => share * size[axis]);
  const [rx, ry, rz] = radii.map((share, axis) => share * size[axis]);
  for (let z = 0, i = 0; z < nz; z++) {
    for (let y = 0; y < ny; y++) {
      const rest = 1 - ((y - cy) / ry) ** 2 - ((z - cz) / rz) ** 2;
      for (let x = 0; x < nx; x++, i++) if (((x - cx) / rx) ** 2 <= rest) data[i] = value;
    }
  }
}

const [prediction, reference] = [0, 1].map(() => new Uint8Array(size[0] * size[1] * size[2]));
let measure;
if (what === 'pair') {
  drawEllipsoid(prediction, 1, [0.51, 0.5, 0.49], [0.4, 0.36, 0.4]);
  drawEllipsoid(reference, 1, [0.5, 0.5, 0.5], [0.4, 0.38, 0.38]);
  measure = () => ({ hd95: hd95({ size, data: prediction }, { size, data: reference }, spacing) });
} else {
  // Organs of many sizes, the first as large as a liver with what surrounds it; each prediction a little off.
  for (let organ = 0; organ < 13; organ++) {
    const centre = [
      0.25 + 0.17 * (organ % 4),
      0.25 + 0.25 * (Math.floor(organ / 4) % 3),
      0.3 + 0.035 * organ,
    ];
    const radius = 0.25 / (1 + 0.35 * organ);
    drawEllipsoid(reference, organ + 1, centre, [radius, radius * 0.8, radius]);
    drawEllipsoid(
      prediction,
      organ + 1,
      centre.map((share) => share + 0.006),
      [radius * 1.05, radius * 0.8, radius * 0.95],
    );
  }
  const files = {
    prediction: join(folder, 'prediction.nii.gz'),
    reference: join(folder, 'reference.nii.gz'),
  };
  await writeNifti(files.prediction, { size, spacing, affine, channels: 1, data: prediction });
  await writeNifti(files.reference, { size, spacing, affine, channels: 1, data: reference });
  const classes = Array.from({ length: 13 }, (_, organ) => ({
    name: `organ ${organ + 1}`,
    values: [organ + 1],
  }));
  const task = { id: 'case', ...files, classes, further: defaultFurtherMetrics, resample: false };
  measure = async () => ({ dice: (await evaluateFiles(task)).result.classes['organ 1'].dice });
}
const before = { cpu: process.cpuUsage(), wall: performance.now() };
const found = await measure();
const { user, system } = process.cpuUsage(before.cpu);
const seconds = (performance.now() - before.wall) / 1000;
const peakBytes = process.resourceUsage().maxRSS * 1024;
console.log(
  JSON.stringify({
    ...found,
    seconds,
    cpuSeconds: (user + system) / 1e6,
    peakBytes,
    versions: { node: process.versions.node },
  }),
);
