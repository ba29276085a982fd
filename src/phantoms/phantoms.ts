import { join } from 'node:path';
import { floatAt } from '../at.js';
import { type RandomStream, randomStream } from '../random/streams.js';
import {
  applyAffine,
  axisAlignedAffine,
  type Grid,
  mapAxes,
  type Triple,
  type Volume,
  writeNifti,
} from '../volume/index.js';
import { makeFolder } from '../whole-file.js';

/** Label values of the phantoms. */
export const phantomClasses = { 1: 'liver', 2: 'spleen', 3: 'kidneys', 4: 'aorta' } as const;

/**
 * An ellipsoid whose surface is dented by a slow wave: what
 * organs are made of. mm, RAS, the body's centre is 0.
 */
interface Shape {
  readonly centre: Triple;
  readonly radii: Triple;
  /** Height of the waves, as a share of the radius. */
  readonly dent: number;
  readonly phase: Triple;
  readonly hu: number;
  readonly label: number;
}

/** One phantom's body: shapes from the outside in, each over those before. */
interface Body {
  readonly shapes: readonly Shape[];
  readonly noiseHu: number;
}

/**
 * Writes CT phantoms `phantom-01.nii.gz` and their labels `phantom-01_label.nii.gz`, ... into a folder.
 * Bodies differ in size, the place, shape and contrast of organs, noise, spacing and orientation; bowel and
 * vein resemble organs in HU, so that intensity alone does not tell.
 */
export async function writePhantoms(folder: string, count: number, seed: number): Promise<void> {
  await makeFolder(folder);
  for (let i = 1; i <= count; i++) {
    const { image, label } = phantom(seed, i);
    const name = `phantom-${String(i).padStart(2, '0')}`;
    await writeNifti(join(folder, `${name}.nii.gz`), image);
    await writeNifti(join(folder, `${name}_label.nii.gz`), label);
  }
}

/** The `index`-th phantom of a seed: int16 HU and uint8 labels on one grid. */
export function phantom(seed: number, index: number): { image: Volume; label: Volume } {
  const stream = randomStream(seed, 'phantom', index);
  const grid = drawGrid(stream);
  const body = drawBody(stream);
  const [nx, ny, nz] = grid.size;
  const image = new Int16Array(nx * ny * nz);
  const label = new Uint8Array(image.length);
  const noise = smoothNoise(stream, grid.size, body.noiseHu);
  let i = 0;
  for (let z = 0; z < nz; z++) {
    for (let y = 0; y < ny; y++) {
      for (let x = 0; x < nx; x++, i++) {
        const point = applyAffine(grid.affine, [x, y, z]);
        const shape = body.shapes.findLast((candidate) => isInside(candidate, point));
        image[i] = Math.round((shape?.hu ?? -1000) + floatAt(noise, i) / (shape ? 1 : 4));
        label[i] = shape?.label ?? 0;
      }
    }
  }
  const common = { ...grid, channels: 1 };
  return { image: { ...common, data: image }, label: { ...common, data: label } };
}

/**
 * Spacing of 3 to 4.5 mm in plane and 3.5 to 5 mm across, axes along RAS or LPS, around the body's centre.
 */
function drawGrid(stream: RandomStream): Grid {
  const inPlane = between(stream, 3, 4.5);
  const spacing: Triple = [inPlane, inPlane, between(stream, 3.5, 5)];
  const extentMm: Triple = [360, 270, 200];
  const size = mapAxes(extentMm, (mm, axis) => Math.round(mm / spacing[axis]));
  const sign = stream.uniform() < 0.5 ? -1 : 1;
  const steps: Triple = [sign * spacing[0], sign * spacing[1], spacing[2]];
  const origin = mapAxes(steps, (step, axis) => (-step * (size[axis] - 1)) / 2);
  return { size, spacing, affine: axisAlignedAffine(steps, origin) };
}

function drawBody(stream: RandomStream): Body {
  const scale = between(stream, 0.85, 1.1);
  const contrast = between(stream, 0.15, 1); // 0: no contrast agent, 1: portal venous phase
  const make = (hu: number, label: number, centre: Triple, radii: Triple, dent = 0.12): Shape => ({
    centre: mapAxes(centre, (mm, axis) => scale * (mm + between(stream, -8, 8) * (axis === 2 ? 1.5 : 1))),
    radii: mapAxes(radii, (mm) => scale * mm * between(stream, 0.85, 1.15)),
    dent,
    phase: [between(stream, 0, 6.28), between(stream, 0, 6.28), between(stream, 0, 6.28)],
    hu: hu + between(stream, -8, 8),
    label,
  });
  const trunk = (hu: number, width: number, depth: number): Shape => ({
    ...make(hu, 0, [0, 0, 0], [1, 1, 1], 0),
    centre: [0, 0, 0],
    radii: [scale * width, scale * depth, 1e4],
  });
  const bowel = Array.from({ length: 7 }, () =>
    make(
      between(stream, -40, 130),
      0,
      [between(stream, -80, 80), between(stream, 10, 70), between(stream, -90, 20)],
      [18, 16, 20],
      0.25,
    ),
  );
  return {
    noiseHu: between(stream, 12, 28),
    shapes: [
      trunk(-100, 165, 118), // fat
      trunk(50, 150, 103), // muscle
      trunk(-90, 135, 88), // fat around the organs
      ...bowel,
      make(-850, 0, [70, 0, 100], [50, 60, 45], 0.05), // lungs
      make(-850, 0, [-70, 0, 100], [50, 60, 45], 0.05),
      make(55 + 50 * contrast, 1, [65, 15, 25], [58, 52, 50]),
      make(50 + 70 * contrast, 2, [-85, -35, 35], [26, 20, 36]),
      make(35 + 130 * contrast, 3, [60, -45, -45], [22, 20, 38], 0.18),
      make(35 + 130 * contrast, 3, [-60, -45, -35], [22, 20, 38], 0.18),
      make(40 + 90 * contrast, 0, [14, -22, 0], [11, 10, 1e4], 0), // vena cava
      make(45 + 200 * contrast, 4, [-14, -24, 0], [12, 12, 1e4], 0),
      make(350, 0, [0, -62, 0], [22, 20, 1e4], 0), // spine
      make(60, 0, [0, -72, 0], [8, 8, 1e4], 0), // spinal canal
    ],
  };
}

function isInside({ centre, radii, dent, phase }: Shape, point: Triple): boolean {
  const [x, y, z] = mapAxes(point, (mm, axis) => (mm - centre[axis]) / radii[axis]);
  const squared = x * x + y * y + z * z;
  if (squared > (1 + dent) ** 2) return false;
  const wave = Math.sin(2.3 * x + phase[0]) * Math.sin(2.3 * y + phase[1]) * Math.sin(2.3 * z + phase[2]);
  return squared <= (1 + dent * wave) ** 2;
}

/**
 * Normal noise averaged with its neighbours in plane, as a
 * reconstruction kernel leaves it; standard deviation `hu`.
 */
function smoothNoise(stream: RandomStream, [nx, ny, nz]: Triple, hu: number): Float32Array {
  const white = Float32Array.from({ length: nx * ny * nz }, () => stream.normal());
  const smooth = new Float32Array(white.length);
  for (let i = 0; i < white.length; i++) {
    const near =
      floatAt(white, i) * 2 +
      (white[i - 1] ?? 0) +
      (white[i + 1] ?? 0) +
      (white[i - nx] ?? 0) +
      (white[i + nx] ?? 0);
    smooth[i] = (near * hu) / Math.sqrt(8);
  }
  return smooth;
}

const between = (stream: RandomStream, low: number, high: number): number =>
  low + (high - low) * stream.uniform();
