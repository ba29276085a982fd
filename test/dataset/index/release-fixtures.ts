import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { deflateSync } from 'node:zlib';
import { type Triple, type Volume, type VoxelArray, writeNifti } from '../../../src/volume/index.js';
import { nestedBoxes, writeJson } from '../generated-data.js';

/** Small, unequal, and no axis of one length with another, so that a swapped axis shows. */
export const tinySize: Triple = [18, 16, 14];

/** Tiny copies of public releases: their own folders, names, types and orientation, as each function says. */

/** Medical Segmentation Decathlon: RAS, float32 scans, uint8 labels, paths in `dataset.json`; test scans without labels. */
export async function layOutMsd(folder: string, task: 'Liver' | 'Spleen'): Promise<void> {
  const name = task.toLowerCase();
  const labels: Record<string, string> =
    task === 'Liver' ? { 0: 'background', 1: 'liver', 2: 'cancer' } : { 0: 'background', 1: 'spleen' };
  const numbers = task === 'Liver' ? [0, 1, 2, 3, 4] : [2, 3, 6, 8, 9];
  for (const n of numbers) {
    await writeScan(join(folder, 'imagesTr', `${name}_${n}.nii.gz`), Float32Array, {
      orientation: 'RAS',
      spacing: [0.8, 0.8, 2.5],
    });
    const values = task === 'Liver' ? [1, 2] : [1];
    await writeLabel(
      join(folder, 'labelsTr', `${name}_${n}.nii.gz`),
      Uint8Array,
      { orientation: 'RAS', spacing: [0.8, 0.8, 2.5] },
      values,
    );
  }
  const test = task === 'Liver' ? 131 : 1;
  await writeScan(join(folder, 'imagesTs', `${name}_${test}.nii.gz`), Float32Array, {
    orientation: 'RAS',
    spacing: [0.8, 0.8, 2.5],
  });
  writeJson(join(folder, 'dataset.json'), {
    name: task,
    tensorImageSize: '3D',
    modality: { 0: 'CT' },
    labels,
    numTraining: numbers.length,
    numTest: 1,
    training: numbers.map((n) => ({
      image: `./imagesTr/${name}_${n}.nii.gz`,
      label: `./labelsTr/${name}_${n}.nii.gz`,
    })),
    test: [`./imagesTs/${name}_${test}.nii.gz`],
  });
  writeFileSync(join(folder, 'imagesTr', `._${name}_2.nii.gz`), 'left by the archive'); // the archives hold such twins
}

/** BTCV as Synapse hands it out (`RawData/Training/img`) or moved as MONAI's tutorials do: first axis to the left, int16, uint8 labels. */
export async function layOutBtcv(folder: string, form: 'synapse' | 'monai'): Promise<void> {
  const geometry = { orientation: 'LAS', spacing: [0.76, 0.76, 3] } as const;
  const [images, labels, test] =
    form === 'synapse'
      ? ['RawData/Training/img', 'RawData/Training/label', 'RawData/Testing/img']
      : ['imagesTr', 'labelsTr', 'imagesTs'];
  for (const n of ['0001', '0002', '0003', '0004', '0005']) {
    await writeScan(join(folder, images!, `img${n}.nii.gz`), Int16Array, geometry);
    await writeLabel(join(folder, labels!, `label${n}.nii.gz`), Uint8Array, geometry, [1, 6, 8, 13]);
  }
  for (const n of ['0061', '0062'])
    await writeScan(join(folder, test!, `img${n}.nii.gz`), Int16Array, geometry);
}

export type BratsYear = 2020 | 2021 | 2023;

/** BraTS: a folder a case, LPS at 1 mm with the origin at the far end of y, int16, zero outside the brain. 355 of 2020 has its label misnamed. */
export async function layOutBrats(folder: string, year: BratsYear): Promise<void> {
  const geometry = { orientation: 'LPS', spacing: [1, 1, 1] } as const;
  const [training, validation, ids, unlabelled, separator, modalities, enhancing] = {
    2020: [
      'MICCAI_BraTS2020_TrainingData',
      'MICCAI_BraTS2020_ValidationData',
      [
        'BraTS20_Training_001',
        'BraTS20_Training_002',
        'BraTS20_Training_003',
        'BraTS20_Training_004',
        'BraTS20_Training_355',
      ],
      'BraTS20_Validation_001',
      '_',
      ['flair', 't1', 't1ce', 't2'],
      4,
    ] as const,
    2021: [
      'RSNA_ASNR_MICCAI_BraTS2021_TrainingData',
      'RSNA_ASNR_MICCAI_BraTS2021_ValidationData',
      ['BraTS2021_00000', 'BraTS2021_00002', 'BraTS2021_00003', 'BraTS2021_00005', 'BraTS2021_00006'],
      'BraTS2021_00001',
      '_',
      ['flair', 't1', 't1ce', 't2'],
      4,
    ] as const,
    2023: [
      'ASNR-MICCAI-BraTS2023-GLI-Challenge-TrainingData',
      'ASNR-MICCAI-BraTS2023-GLI-Challenge-ValidationData',
      [
        'BraTS-GLI-00000-000',
        'BraTS-GLI-00002-000',
        'BraTS-GLI-00003-000',
        'BraTS-GLI-00005-000',
        'BraTS-GLI-00006-000',
      ],
      'BraTS-GLI-00001-000',
      '-',
      ['t2f', 't1n', 't1c', 't2w'],
      3,
    ] as const,
  }[year];
  for (const [part, cases] of [[training, ids] as const, [validation, [unlabelled]] as const]) {
    for (const id of cases) {
      const base = join(folder, part, id, `${id}${separator}`);
      for (const [channel, modality] of modalities.entries())
        await writeBrain(`${base}${modality}.nii.gz`, channel, geometry);
      if (part === validation) continue;
      const label =
        id === 'BraTS20_Training_355'
          ? join(folder, part, id, 'W39_1998.09.19_Segm.nii')
          : `${base}seg.nii.gz`;
      await writeLabel(label, Int16Array, geometry, [1, 2, enhancing]);
    }
  }
  writeFileSync(join(folder, training, 'name_mapping.csv'), 'Grade,BraTS_2020_subject_ID\n');
}

/** ATM'22: batches, label and scan under one name. */
export async function layOutAtm22(folder: string): Promise<void> {
  const geometry = { orientation: 'LPS', spacing: [0.7, 0.7, 0.5] } as const;
  for (const [batch, n] of [
    ...['001', '002', '003'].map((n) => [1, n] as const),
    ...['151', '152'].map((n) => [2, n] as const),
  ]) {
    await writeScan(
      join(folder, `TrainBatch${batch}`, 'imagesTr', `ATM_${n}_0000.nii.gz`),
      Int16Array,
      geometry,
    );
    await writeLabel(
      join(folder, `TrainBatch${batch}`, 'labelsTr', `ATM_${n}_0000.nii.gz`),
      Uint8Array,
      geometry,
      [1],
    );
  }
}

/** LUNA16: MetaImages by series UID in ten subsets, int16 in `.raw`, here one of them compressed; lung masks and tables beside them. */
export async function layOutLuna16(folder: string): Promise<void> {
  for (const [subset, n] of [
    [0, 1],
    [0, 2],
    [1, 3],
    [8, 4],
    [9, 5],
  ] as const) {
    writeMetaImage(join(folder, `subset${subset}`), lunaSeries(n), n === 5);
  }
  writeMetaImage(join(folder, 'seg-lungs-LUNA16'), lunaSeries(1), true);
  mkdirSync(join(folder, 'CSVFILES'));
  writeFileSync(join(folder, 'CSVFILES', 'annotations.csv'), 'seriesuid,coordX,coordY,coordZ,diameter_mm\n');
}

export const lunaSeries = (n: number): string =>
  `1.3.6.1.4.1.14519.5.2.1.6279.6001.10022528722250569167801410${n}`;

/** As LUNA16's own headers, whose axes run along LPS. */
function writeMetaImage(folder: string, name: string, compressed: boolean): void {
  const [nx, ny, nz] = tinySize;
  const values = Int16Array.from({ length: nx * ny * nz }, (_, i) => ((17 * i + 13 * ++scans) % 1900) - 950);
  const bytes = compressed ? deflateSync(Buffer.from(values.buffer)) : Buffer.from(values.buffer);
  const data = `${name}.${compressed ? 'zraw' : 'raw'}`;
  const header = [
    'ObjectType = Image',
    'NDims = 3',
    'BinaryData = True',
    'BinaryDataByteOrderMSB = False',
    `CompressedData = ${compressed ? 'True' : 'False'}`,
    ...(compressed ? [`CompressedDataSize = ${bytes.length}`] : []),
    'TransformMatrix = 1 0 0 0 1 0 0 0 1',
    'Offset = -198.100006 -195 -335.209991',
    'CenterOfRotation = 0 0 0',
    'AnatomicalOrientation = RAI',
    'ElementSpacing = 0.7617189884185791 0.7617189884185791 2.5',
    `DimSize = ${tinySize.join(' ')}`,
    'ElementType = MET_SHORT',
    `ElementDataFile = ${data}`,
  ];
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `${name}.mhd`), `${header.join('\n')}\n`);
  writeFileSync(join(folder, data), bytes);
}

/** COVID-19-20: scan and label beside each other in `Train`, scans alone in `Validation`. */
export async function layOutCovid1920(folder: string): Promise<void> {
  const geometry = { orientation: 'LPS', spacing: [0.75, 0.75, 5] } as const;
  for (const n of ['0003', '0014', '0025', '0046', '0698']) {
    const base = join(folder, 'COVID-19-20_v2', 'Train', `volume-covid19-A-${n}`);
    await writeScan(`${base}_ct.nii.gz`, Int16Array, geometry);
    await writeLabel(`${base}_seg.nii.gz`, Uint8Array, geometry, [1]);
  }
  await writeScan(
    join(folder, 'COVID-19-20_v2', 'Validation', 'volume-covid19-A-0001_ct.nii.gz'),
    Int16Array,
    geometry,
  );
}

/** FLARE 2021: scans as `_0000` in one folder, masks in another, validation scans without masks. */
export async function layOutFlare21(folder: string): Promise<void> {
  const geometry = { orientation: 'LAS', spacing: [0.8, 0.8, 2.5] } as const;
  for (const n of ['000', '001', '002', '003', '004']) {
    await writeScan(join(folder, 'TrainingImg', `train_${n}_0000.nii.gz`), Int16Array, geometry);
    await writeLabel(join(folder, 'TrainingMask', `train_${n}.nii.gz`), Uint8Array, geometry, [1, 2, 3, 4]);
  }
  for (const n of ['001', '002'])
    await writeScan(join(folder, 'ValidationImg', `validation_${n}_0000.nii.gz`), Int16Array, geometry);
}

/** nnU-Net's raw format with two channels. */
export async function layOutNnunet(
  folder: string,
  labels: object = { background: 0, core: 1, oedema: 2 },
): Promise<void> {
  const geometry = { orientation: 'RAS', spacing: [1, 1, 1] } as const;
  for (const n of ['001', '002', '003', '004', '005']) {
    for (const channel of [0, 1])
      await writeBrain(join(folder, 'imagesTr', `glioma_${n}_000${channel}.nii.gz`), channel, geometry);
    await writeLabel(join(folder, 'labelsTr', `glioma_${n}.nii.gz`), Uint8Array, geometry, [1, 2]);
  }
  for (const channel of [0, 1])
    await writeBrain(join(folder, 'imagesTs', `glioma_101_000${channel}.nii.gz`), channel, geometry);
  writeJson(join(folder, 'dataset.json'), {
    channel_names: { 0: 'FLAIR', 1: 'T1w' },
    labels,
    numTraining: 5,
    file_ending: '.nii.gz',
  });
}

/** Scans of one's own: names that are nobody's convention, NIfTI compressed and not. */
export async function layOutFolder(folder: string): Promise<void> {
  const geometry = { orientation: 'RAS', spacing: [1, 1, 2] } as const;
  for (const [i, name] of ['anna', 'bert 2', 'carl', 'dora', 'emil'].entries()) {
    const ending = i === 0 ? '.nii' : '.nii.gz';
    await writeScan(join(folder, 'images', `${name}${ending}`), Int16Array, geometry);
    await writeLabel(join(folder, 'labels', `${name}_seg.nii.gz`), Uint8Array, geometry, [1, 2]);
  }
}

interface Geometry {
  readonly orientation: 'RAS' | 'LAS' | 'LPS';
  readonly spacing: Triple;
}
type ArrayType = new (values: ArrayLike<number>) => VoxelArray;

let scans = 0;

/** No two alike, so that a case that takes another's file shows. */
async function writeScan(file: string, type: ArrayType, geometry: Geometry): Promise<void> {
  const offset = ++scans;
  await writeTo(file, type, geometry, (x, y, z) => ((17 * (x + 7 * y + 31 * z + 13 * offset)) % 1900) - 950);
}

/** 0 outside; inside 100, 200, ... by channel, so that a wrong order of channels shows. */
async function writeBrain(file: string, channel: number, geometry: Geometry): Promise<void> {
  const inside = nestedBoxes(tinySize);
  const offset = ++scans;
  const texture = (x: number, y: number, z: number) => (offset * x + 3 * y + 5 * z) % 89;
  await writeTo(file, Int16Array, geometry, (x, y, z) =>
    inside(x, y, z) > 0 ? 100 * (channel + 1) + texture(x, y, z) : 0,
  );
}

/** Slabs of the values along y within a box, thick enough to outlive resampling; the rest 0. */
async function writeLabel(
  file: string,
  type: ArrayType,
  geometry: Geometry,
  values: readonly number[],
): Promise<void> {
  const inside = nestedBoxes(tinySize);
  await writeTo(file, type, geometry, (x, y, z) =>
    inside(x, y, z) > 0 ? values[Math.floor(y / 3) % values.length]! : 0,
  );
}

async function writeTo(
  file: string,
  type: ArrayType,
  { orientation, spacing }: Geometry,
  value: (x: number, y: number, z: number) => number,
): Promise<void> {
  const [nx, ny, nz] = tinySize;
  const values = Array.from({ length: nx * ny * nz }, (_, i) =>
    value(i % nx, Math.floor(i / nx) % ny, Math.floor(i / (nx * ny))),
  );
  mkdirSync(dirname(file), { recursive: true });
  const volume: Volume = {
    size: tinySize,
    spacing,
    affine: { rows: affineRows(orientation, spacing) },
    channels: 1,
    data: new type(values),
  };
  await writeNifti(file, volume);
}

function affineRows(orientation: Geometry['orientation'], [sx, sy, sz]: Triple): number[] {
  const [x, y] = { RAS: [1, 1], LAS: [-1, 1], LPS: [-1, -1] }[orientation] as [number, number];
  const origin = [x < 0 ? (tinySize[0] - 1) * sx : 0, y < 0 ? (tinySize[1] - 1) * sy : 0, -100];
  return [x * sx, 0, 0, origin[0]!, 0, y * sy, 0, origin[1]!, 0, 0, sz, origin[2]!];
}
