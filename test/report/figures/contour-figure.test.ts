import { mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Resvg } from '@resvg/resvg-js';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { DataError, UsageError } from '../../../src/errors.js';
import { classColour } from '../../../src/report/figures/class-colours.js';
import { contourRow } from '../../../src/report/figures/contour-rows.js';
import { greyPng } from '../../../src/report/figures/grey-png.js';
import { contourPath } from '../../../src/report/figures/label-contour.js';
import { countInSlices, type Plane, sliceCount, sliceOf } from '../../../src/report/figures/slice.js';
import {
  type ContourFigureOptions,
  type ContourPanel,
  writeContourFigure,
} from '../../../src/report/index.js';
import { readVolume, type Triple, type Volume } from '../../../src/volume/index.js';
import {
  type Box,
  boxOfColour,
  countOfColour,
  decodePng,
  type Pixels,
  pixelAt,
  readPng,
  runs,
} from '../pixels.js';

const folder = mkdtempSync(join(tmpdir(), 'hybridmim-contours-'));
afterAll(() => rm(folder, { recursive: true, force: true }));

const [red, blue] = [classColour(0), classColour(1)];

/** Voxels, first and last, along right, anterior and superior. */
type Range = readonly [first: Triple, last: Triple];

const size: Triple = [20, 16, 10];
const spacing: Triple = [2, 3, 5];

/** A volume with its axes along RAS. */
function volumeOf(value: (x: number, y: number, z: number) => number): Volume {
  const data = new Int16Array(size[0] * size[1] * size[2]);
  let i = 0;
  for (let z = 0; z < size[2]; z++)
    for (let y = 0; y < size[1]; y++) for (let x = 0; x < size[0]; x++) data[i++] = value(x, y, z);
  return { size, spacing, affine: { rows: [2, 0, 0, -7, 0, 3, 0, 11, 0, 0, 5, -40] }, channels: 1, data };
}

const boxLabel = ([first, last]: Range, value = 1) =>
  volumeOf((...p) => (p.every((voxel, axis) => voxel >= first[axis]! && voxel <= last[axis]!) ? value : 0));

/** The same voxels at the same places of the world, stored in another order: axis `i` of the file is `axes[i]`, reversed where `reversed`. */
function storedAs(volume: Volume, axes: Triple, reversed: readonly boolean[]): Volume {
  const oldStrides = [1, volume.size[0], volume.size[0] * volume.size[1]];
  const newSize = axes.map((axis) => volume.size[axis]!) as unknown as Triple;
  const data = volume.data.slice();
  const old = (i: number, position: number) =>
    (reversed[i] ? newSize[i]! - 1 - position : position) * oldStrides[axes[i]!]!;
  let target = 0;
  for (let z = 0; z < newSize[2]; z++) {
    for (let y = 0; y < newSize[1]; y++)
      for (let x = 0; x < newSize[0]; x++) data[target++] = volume.data[old(0, x) + old(1, y) + old(2, z)]!;
  }
  const rows = [0, 1, 2].flatMap((world) => {
    const along = (i: number) => (reversed[i] ? -1 : 1) * volume.affine.rows[4 * world + axes[i]!]!;
    const offset = axes.reduce(
      (sum, axis, i) => sum + (reversed[i] ? volume.affine.rows[4 * world + axis]! * (newSize[i]! - 1) : 0),
      0,
    );
    return [along(0), along(1), along(2), volume.affine.rows[4 * world + 3]! + offset];
  });
  const newSpacing = axes.map((axis) => volume.spacing[axis]!) as unknown as Triple;
  return { size: newSize, spacing: newSpacing, affine: { rows }, channels: 1, data };
}

const orders: Triple[] = [
  [0, 1, 2],
  [0, 2, 1],
  [1, 0, 2],
  [1, 2, 0],
  [2, 0, 1],
  [2, 1, 0],
];

const black = volumeOf(() => 0);
const box: Range = [
  [4, 9, 2],
  [9, 13, 6],
];

async function drawn(
  name: string,
  panels: readonly ContourPanel[],
  options?: ContourFigureOptions,
): Promise<Pixels> {
  const file = join(folder, `${name}.png`);
  await writeContourFigure(file, panels, options);
  return readPng(file);
}

/** Where the slices lie, from left to right and from top to bottom. Scans are black here, and text is not quite black. */
function slicesIn(picture: Pixels): Box[][] {
  const isBlack = (x: number, y: number) => Math.max(...pixelAt(picture, x, y)) === 0;
  const blackIn = (y: number) =>
    Array.from({ length: picture.width }, (_, x) => isBlack(x, y)).filter(Boolean).length;
  const rows = runs(picture.height, (y) => blackIn(y) > 100);
  return rows.map(([top, bottom]) => {
    const columns = runs(picture.width, (x) => isBlack(x, top + 3));
    return columns.map(([left, right]) => ({
      left,
      top,
      right,
      bottom,
      count: (right - left + 1) * (bottom - top + 1),
    }));
  });
}

/** A box in a slice as shares of the slice's width and height. */
function sharesOf(found: Box, slice: Box) {
  const [width, height] = [slice.right - slice.left + 1, slice.bottom - slice.top + 1];
  return {
    left: (found.left - slice.left) / width,
    right: (found.right + 1 - slice.left) / width,
    top: (found.top - slice.top) / height,
    bottom: (found.bottom + 1 - slice.top) / height,
  };
}

/** Half the line of 3 pixels and its soft edge, as a share of 600 by 720 pixels. */
const lineShare = 4 / 600;

describe('the picture of outlines', () => {
  it('outlines a box where it lies: the right of the patient at the left, anterior and superior at the top', async () => {
    const picture = await drawn(
      'box',
      [{ caseName: 'a', image: black, reference: boxLabel(box), predictions: {} }],
      {
        planes: ['axial', 'coronal'],
      },
    );
    const [[axial], [coronal]] = slicesIn(picture) as [[Box], [Box]];
    const expected = { left: (20 - 10) / 20, right: (20 - 4) / 20 };
    const found = [
      sharesOf(boxOfColour(picture, red, axial, 40)!, axial),
      sharesOf(boxOfColour(picture, red, coronal, 40)!, coronal),
    ];
    const vertical = [
      { top: (16 - 14) / 16, bottom: (16 - 9) / 16 },
      { top: (10 - 7) / 10, bottom: (10 - 2) / 10 },
    ];
    for (const [i, shares] of found.entries()) {
      for (const [side, share] of Object.entries({ ...expected, ...vertical[i] })) {
        expect(Math.abs(shares[side as keyof typeof shares] - share), `${side} in slice ${i}`).toBeLessThan(
          lineShare * (i === 1 ? 2 : 1),
        );
      }
    }
    // Only the outline is drawn in the reference: within it the scan stays as it is.
    const middle = pixelAt(
      picture,
      axial.left + 0.65 * (axial.right - axial.left),
      axial.top + 0.28 * (axial.bottom - axial.top),
    );
    expect(middle).toEqual([0, 0, 0]);
  });

  it('shows slices in their physical proportions', async () => {
    const picture = await drawn(
      'proportions',
      [{ caseName: 'a', image: black, reference: boxLabel(box), predictions: {} }],
      {
        planes: ['axial', 'coronal'],
      },
    );
    const [[axial], [coronal]] = slicesIn(picture) as [[Box], [Box]];
    const proportion = ({ left, right, top, bottom }: Box) => (bottom - top + 1) / (right - left + 1);
    expect(proportion(axial)).toBeCloseTo((16 * 3) / (20 * 2), 2);
    expect(proportion(coronal)).toBeCloseTo((10 * 5) / (20 * 2), 2);
  });

  it('is the same to the byte in whatever order the file stores its axes', async () => {
    const image = volumeOf((x, y, z) => 10 * x + 7 * y + 3 * z);
    const [reference, prediction] = [boxLabel(box), boxLabel([box[0], [12, 13, 6]])];
    const bytes = async (store: (volume: Volume) => Volume) => {
      const panel = {
        caseName: 'a',
        image: store(image),
        reference: store(reference),
        predictions: { method: store(prediction) },
      };
      await drawn('stored', [panel], { planes: ['axial', 'coronal'] });
      return readFileSync(join(folder, 'stored.png'));
    };
    const upright = await bytes((volume) => volume);
    for (const [axes, reversed] of [
      [
        [0, 1, 2],
        [true, true, false],
      ], // LPS, as most scanners write
      [
        [0, 1, 2],
        [true, false, true],
      ],
      [
        [2, 0, 1],
        [false, true, true],
      ],
    ] as const) {
      expect(
        (await bytes((volume) => storedAs(volume, axes, reversed))).equals(upright),
        `${axes} ${reversed}`,
      ).toBe(true);
    }
  });

  it('gives every method a column, with its prediction tinted and dashed beside the solid reference', async () => {
    const [near, far]: Range[] = [
      [
        [6, 9, 2],
        [11, 13, 6],
      ],
      [
        [12, 2, 2],
        [17, 6, 6],
      ],
    ];
    const predictions = { near: boxLabel(near!), far: boxLabel(far!) };
    const picture = await drawn('methods', [
      { caseName: 'a', image: black, reference: boxLabel(box), predictions },
    ]);
    const [slices] = slicesIn(picture) as [Box[]];
    expect(slices.length).toBe(3);
    const [alone, withNear, withFar] = slices.map((slice) =>
      sharesOf(boxOfColour(picture, red, slice, 40)!, slice),
    );
    expect(alone!.left).toBeCloseTo(0.5, 1);
    expect(Math.abs(withNear!.left - (20 - 12) / 20)).toBeLessThan(lineShare);
    expect(Math.abs(withNear!.right - alone!.right)).toBeLessThan(lineShare);
    expect(Math.abs(withFar!.left - (20 - 18) / 20)).toBeLessThan(lineShare);
    expect(Math.abs(withFar!.bottom - (16 - 2) / 16)).toBeLessThan(lineShare);
    // A tint of 22 % of red over black, in the middle of the far prediction; nothing there in the other columns.
    const inFar = (slice: Box) =>
      pixelAt(
        picture,
        slice.left + 0.25 * (slice.right - slice.left),
        slice.top + (11.5 / 16) * (slice.bottom - slice.top),
      );
    const ofRed = Number.parseInt(red.slice(1, 3), 16);
    expect(inFar(slices[2]!)[0]).toBeGreaterThan(0.2 * ofRed);
    expect(inFar(slices[2]!)[0]).toBeLessThan(0.25 * ofRed);
    expect(inFar(slices[1]!)).toEqual([0, 0, 0]);
    // Dashed: the upper edge of the far prediction has gaps, that of the reference none.
    const edge = (slice: Box, voxel: number, from: number, to: number) => {
      const y = Math.round(slice.top + ((16 - voxel) / 16) * (slice.bottom - slice.top + 1));
      const x = (column: number) =>
        Math.round(slice.left + ((20 - column) / 20) * (slice.right - slice.left + 1));
      return runs(x(from) - x(to), (i) => pixelAt(picture, x(to) + i, y)[0] > 150).length;
    };
    expect(edge(slices[0]!, 14, 5, 9)).toBe(1);
    expect(edge(slices[2]!, 7, 13, 17)).toBeGreaterThan(5);
  });

  it('has a colour of its own for every class, in the slice and in the legend, and names no class that cannot be seen', async () => {
    const two = volumeOf((x, y, z) =>
      z < 2 || z > 6 || y < 4 || y > 12 ? 0 : x >= 3 && x <= 7 ? 1 : x >= 11 && x <= 16 ? 2 : 0,
    );
    const classes = [
      { name: 'liver', values: [1] },
      { name: 'spleen', values: [2] },
      { name: 'aorta', values: [3] },
    ];
    const picture = await drawn(
      'classes',
      [{ caseName: 'a', image: black, reference: two, predictions: {} }],
      { classes },
    );
    const [[slice]] = slicesIn(picture) as [[Box]];
    const [first, second] = [red, blue].map((colour) =>
      sharesOf(boxOfColour(picture, colour, slice, 40)!, slice),
    );
    expect(first!.left).toBeCloseTo((20 - 8) / 20, 1);
    expect(second!.right).toBeCloseTo((20 - 11) / 20, 1);
    const legend = { top: slice.bottom + 1 };
    const swatches = Array.from({ length: 14 }, (_, i) => classColour(i)).map((colour) =>
      countOfColour(picture, colour, legend, 4),
    );
    // 12 units of 2 pixels a side; some 5 pixels at each rounded corner and one soft row of 24 are not of the full colour
    for (const seen of swatches.slice(0, 2)) expect(Math.abs(seen - 24 * 24)).toBeLessThan(50);
    expect(Math.max(...swatches.slice(2))).toBe(0);
  });

  it('has class colours that can be seen on white and on black, by the contrast of WCAG', () => {
    const luminance = (hex: string) => {
      const [r, g, b] = [1, 3, 5].map((i) => {
        const c = Number.parseInt(hex.slice(i, i + 2), 16) / 255;
        return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
      }) as [number, number, number];
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const all = Array.from({ length: 14 }, (_, i) => classColour(i));
    expect(new Set(all).size).toBe(14);
    expect(classColour(14)).toBe(all[0]);
    for (const colour of all) {
      expect(1.05 / (luminance(colour) + 0.05)).toBeGreaterThan(3);
      expect((luminance(colour) + 0.05) / 0.05).toBeGreaterThan(4);
    }
  });

  it('stands cases side by side as far as they fit, each with spacing and window', async () => {
    const panels = ['a', 'b', 'c', 'd', 'e', 'f'].map((caseName) => ({
      caseName,
      image: black,
      reference: boxLabel(box),
      predictions: {},
    }));
    const picture = await drawn('grid', panels);
    const slices = slicesIn(picture);
    expect(slices.map((line) => line.length)).toEqual([4, 2]);
    const row = contourRow(panels[0]!, {
      methods: [],
      classes: [{ name: 'x', values: [1] }],
      planes: ['axial'],
      window: [-175, 250],
    });
    expect(row.facts).toBe('2 x 3 x 5 mm, window -175 to 250');
  });

  it('outlines a region made of several label values as one', async () => {
    const halves = volumeOf((x, y, z) =>
      z < 2 || z > 6 || y < 4 || y > 12 || x < 4 || x > 15 ? 0 : x < 10 ? 1 : 4,
    );
    const picture = await drawn(
      'region',
      [{ caseName: 'a', image: black, reference: halves, predictions: {} }],
      {
        classes: [{ name: 'whole', values: [1, 4] }],
      },
    );
    const [[slice]] = slicesIn(picture) as [[Box]];
    const shares = sharesOf(boxOfColour(picture, red, slice, 40)!, slice);
    expect(Math.abs(shares.left - 0.2)).toBeLessThan(lineShare);
    expect(Math.abs(shares.right - 0.8)).toBeLessThan(lineShare);
    const border = Math.round((slice.left + slice.right) / 2);
    expect(
      countOfColour(
        picture,
        red,
        { ...slice, left: border - 40, right: border + 40, top: slice.top + 250, bottom: slice.bottom - 250 },
        40,
      ),
    ).toBe(0);
  });

  it('shows the window it is given: its ends are black and white, its middle grey', async () => {
    const image = volumeOf((x) => (x < 7 ? -160 : x < 14 ? 40 : 240));
    const picture = await drawn('window', [{ caseName: 'a', image, predictions: {} }], {
      window: [-160, 240],
    });
    const y = picture.height / 2 + 100;
    const at = (x: number) => pixelAt(picture, 48 + ((20 - x) / 20) * 600, y)[0];
    expect(at(3.5)).toBe(0);
    expect(Math.abs(at(10.5) - 127.5)).toBeLessThanOrEqual(1);
    expect(at(17)).toBe(255);
  });

  it('keeps its width however long the names are, and their letters to its margins', async () => {
    const long =
      'a name that is longer than the column has room for, and longer still, and longer than the figure is wide, with more to come <&>';
    const panel = (caseName: string, method: string) => ({
      caseName,
      image: black,
      reference: boxLabel(box),
      predictions: { [method]: boxLabel(box) },
    });
    const classes = [{ name: long + long, values: [1] }];
    const [short, cut] = [
      await drawn('short', [panel('a', 'm')]),
      await drawn('cut', [panel(long + long, long)], { title: long + long, classes }),
    ];
    expect(cut.width).toBe(short.width);
    for (const margin of [{ right: 40 }, { left: cut.width - 41 }]) {
      const ink = margin.right ? { right: margin.right } : { left: margin.left! };
      for (const colour of ['#24292f', '#6e7781']) expect(countOfColour(cut, colour, ink, 60)).toBe(0);
    }
  });

  it('leaves only the picture in its folder, which it makes', async () => {
    const file = join(folder, 'new', 'figure.png');
    await writeContourFigure(file, [{ caseName: 'a', image: black, predictions: {} }]);
    expect(readdirSync(join(folder, 'new'))).toEqual(['figure.png']);
    expect(readPng(file).width).toBe(2 * (300 + 2 * 24));
  });
});

describe('what is shown of a case', () => {
  const choice = {
    methods: ['m'],
    classes: [{ name: 'organ', values: [1] }],
    planes: ['axial', 'coronal'] as const,
    window: undefined,
  };
  const large: Range = [
    [2, 4, 3],
    [15, 12, 3],
  ];

  it('is the slice with the most voxels of the reference, not of the prediction', () => {
    const reference = volumeOf((x, y, z) =>
      z === 3 && x > 2 && y > 2 ? 1 : z === 7 && x > 12 && y > 12 ? 1 : 0,
    );
    const prediction = volumeOf((_, __, z) => (z === 8 ? 1 : 0));
    const row = contourRow(
      { caseName: 'a', image: black, reference, predictions: { m: prediction } },
      choice,
    );
    expect(row.slices[0]!.note).toBe('axial slice 4 of 10');
    const unlabelled = contourRow({ caseName: 'a', image: black, predictions: { m: prediction } }, choice);
    expect(unlabelled.slices[0]!.note).toBe('axial slice 9 of 10');
    expect(unlabelled.captions).toEqual(['no reference']);
  });

  it('is the middle of the slices that are equally full, and of a scan without labels', () => {
    const row = (reference?: Volume) =>
      contourRow({ caseName: 'a', image: black, reference, predictions: {} }, choice);
    expect(row(boxLabel(box)).slices.map(({ note }) => note)).toEqual([
      'axial slice 5 of 10',
      'coronal slice 12 of 16',
    ]);
    expect(row().slices.map(({ note }) => note)).toEqual(['axial slice 6 of 10', 'coronal slice 9 of 16']);
    expect(row(black).slices[0]!.note).toBe('axial slice 6 of 10');
  });

  it('counts only the classes that are outlined', () => {
    const reference = volumeOf((x, _, z) => (z === 2 && x < 5 ? 1 : z === 8 ? 2 : 0));
    expect(
      contourRow({ caseName: 'a', image: black, reference, predictions: {} }, choice).slices[0]!.note,
    ).toBe('axial slice 3 of 10');
  });

  it('is joined by others until each class is seen, where that is asked for', () => {
    const reference = volumeOf((x, _, z) => {
      if (z === 5) return 1;
      if (z === 2 && x < 4) return x < 2 ? 2 : 3;
      if (z === 3 && x < 6) return 2;
      return z === 8 && x < 2 ? 4 : 0;
    });
    const classes = [1, 2, 3, 4, 9].map((value) => ({ name: `${value}`, values: [value] }));
    const rowBy = (everyClass: boolean, planes: readonly Plane[] = ['axial']) =>
      contourRow(
        { caseName: 'a', image: black, reference, predictions: {} },
        {
          ...choice,
          planes,
          classes,
          everyClass,
        },
      ).slices;
    expect(rowBy(false).map(({ note }) => note)).toEqual(['axial slice 6 of 10']);
    const slices = rowBy(true); // slice 3 has two of the classes at once, and slice 4 the more of one
    expect(slices.map(({ note }) => note)).toEqual([3, 6, 9].map((number) => `axial slice ${number} of 10`));
    const seen = classes.map((_, i) => slices.some(({ reference: masks }) => masks![i]!.values.includes(1)));
    expect(seen).toEqual([true, true, true, true, false]); // nothing has the value 9
    expect(rowBy(true, ['coronal'])).toHaveLength(1); // which sees all of them
  });

  it('has the classes of its own case in their place among those of the figure', () => {
    const reference = volumeOf((_, __, z) => (z === 4 ? 1 : 0));
    const figure = ['liver', 'spleen'].map((name) => ({ name, values: [] }));
    const row = contourRow(
      {
        caseName: 'a',
        image: black,
        reference,
        predictions: { m: reference },
        classes: [{ name: 'spleen', values: [1] }],
      },
      { ...choice, classes: figure },
    );
    expect(row.slices[0]!.note).toBe('axial slice 5 of 10');
    expect(row.slices[0]!.reference!.map(({ values }) => values.includes(1))).toEqual([false, true]);
    expect(row.captions).toEqual(['mean Dice 100.00 %']);
  });

  it('has the mean Dice of the classes that the reference has, in the whole volume', () => {
    const reference = volumeOf((x, y, z) => boxLabel(large).data[x + 20 * (y + 16 * z)]!);
    const half: Range = [
      [2, 4, 3],
      [8, 12, 3],
    ];
    const classes = [...choice.classes, { name: 'absent', values: [2] }];
    const captions = (m: Volume | undefined, truth: Volume) =>
      contourRow(
        { caseName: 'a', image: black, reference: truth, predictions: m ? { m } : {} },
        { ...choice, classes },
      ).captions;
    // half of 14 columns found, nothing else: 2 * 7 / (7 + 14)
    expect(captions(boxLabel(half), reference)).toEqual(['mean Dice 66.67 %']);
    expect(captions(reference, reference)).toEqual(['mean Dice 100.00 %']);
    expect(captions(boxLabel(half, 2), reference)).toEqual(['mean Dice 0.00 %']);
    expect(captions(boxLabel(half), black)).toEqual(['nothing in the reference']);
    expect(captions(undefined, reference)).toEqual(['no prediction']);
  });

  it('is refused with a sentence where there is nothing to show, or volumes do not fit', async () => {
    const file = join(folder, 'refused.png');
    await expect(writeContourFigure(file, [])).rejects.toThrow(UsageError);
    await expect(
      writeContourFigure(file, [{ caseName: 'a', image: black, predictions: {} }], { window: [40, 40] }),
    ).rejects.toThrow('window [40, 40] is empty');
    const moved: Volume = {
      ...boxLabel(box),
      affine: { rows: black.affine.rows.map((entry, i) => (i === 3 ? entry + 1 : entry)) },
    };
    const smaller: Volume = {
      ...boxLabel(box),
      size: [20, 16, 9],
      data: boxLabel(box).data.slice(0, 20 * 16 * 9),
    };
    await expect(
      writeContourFigure(file, [{ caseName: 'case 7', image: black, reference: moved, predictions: {} }]),
    ).rejects.toThrow(DataError);
    await expect(
      writeContourFigure(file, [{ caseName: 'case 7', image: black, predictions: { UNet: smaller } }]),
    ).rejects.toThrow(
      'the prediction of UNet of case case 7 (20x16x9 voxels) does not lie on the grid of its image (20x16x10 voxels)',
    );
    expect(readdirSync(folder)).not.toContain('refused.png');
  });
});

describe('slices', () => {
  it('are the same, and are counted the same, for all 48 orders in which a file can store its axes', () => {
    const volume = volumeOf((x, y, z) => x + 20 * y + 320 * z);
    const label = volumeOf((x, y, z) => (x + y > 2 * z ? 1 : 0));
    const values = new Set([1]);
    let compared = 0;
    for (const axes of orders) {
      for (let bits = 0; bits < 8; bits++) {
        const reversed = [0, 1, 2].map((axis) => ((bits >> axis) & 1) === 1);
        const [stored, storedLabel] = [storedAs(volume, axes, reversed), storedAs(label, axes, reversed)];
        for (const plane of ['axial', 'coronal'] as const) {
          expect(sliceOf(stored, plane, 4)).toEqual(sliceOf(volume, plane, 4));
          expect(countInSlices(storedLabel, plane, values)).toEqual(countInSlices(label, plane, values));
          compared++;
        }
      }
    }
    expect(compared).toBe(96);
  });

  it('run from the feet up and from the back forward, seen with the right of the patient at the left', () => {
    const volume = volumeOf((x, y, z) => x + 20 * y + 320 * z);
    const axial = sliceOf(volume, 'axial', 3);
    expect([axial.width, axial.height, axial.widthMm, axial.heightMm]).toEqual([20, 16, 40, 48]);
    expect(axial.values[0]).toBe(19 + 20 * 15 + 320 * 3); // top left: right, anterior
    expect(axial.values.at(-1)).toBe(320 * 3); // bottom right: left, posterior
    const coronal = sliceOf(volume, 'coronal', 5);
    expect([coronal.width, coronal.height, coronal.widthMm, coronal.heightMm]).toEqual([20, 10, 40, 50]);
    expect(coronal.values[0]).toBe(19 + 20 * 5 + 320 * 9);
    expect((['axial', 'coronal'] as Plane[]).map((plane) => sliceCount(volume, plane))).toEqual([10, 16]);
  });
});

describe('outlines of masks', () => {
  const mask = fc
    .record({ width: fc.integer({ min: 1, max: 9 }), height: fc.integer({ min: 1, max: 9 }) })
    .chain(({ width, height }) =>
      fc
        .array(fc.constantFrom(0, 1), { minLength: width * height, maxLength: width * height })
        .map((values) => ({ width, height, values: Uint8Array.from(values) })),
    );

  it('hold the centre of every pixel inside and of none outside, for any mask, holes and touching corners too', () => {
    fc.assert(
      fc.property(mask, ({ width, height, values }) => {
        const [across, down] = [8, 12];
        const path = contourPath({ width, height, values }, [across, down]);
        const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${width * across}" height="${height * down}"><rect width="999" height="999" fill="white"/><path d="${path}" fill-rule="evenodd" fill="black"/></svg>`;
        const rendered = new Resvg(svg, { font: { loadSystemFonts: false } }).render();
        const pixels = { width: rendered.width, height: rendered.height, rgba: rendered.pixels };
        for (let y = 0; y < height; y++) {
          for (let x = 0; x < width; x++) {
            const [red] = pixelAt(pixels, (x + 0.5) * across - 0.5, (y + 0.5) * down - 0.5);
            expect(red < 128, `pixel ${x}, ${y}`).toBe(values[y * width + x] === 1);
          }
        }
      }),
      { numRuns: 80 },
    );
  });

  it('are nothing for nothing, and one closed curve on the border of a box, within half a pixel of its corners', () => {
    expect(contourPath({ width: 3, height: 2, values: new Uint8Array(6) }, [1, 1])).toBe('');
    const values = Uint8Array.from({ length: 64 }, (_, i) =>
      i % 8 >= 2 && i % 8 <= 5 && i >= 8 && i < 48 ? 1 : 0,
    );
    const path = contourPath({ width: 8, height: 8, values }, [1, 1]);
    expect(path.match(/M/g)).toEqual(['M']);
    const numbers = path.match(/-?[\d.]+/g)!.map(Number);
    const [xs, ys] = [0, 1].map((axis) => numbers.filter((_, i) => i % 2 === axis));
    expect([Math.min(...xs!), Math.max(...xs!), Math.min(...ys!), Math.max(...ys!)]).toEqual([2, 6, 1, 6]);
    for (const [i, x] of xs!.entries()) {
      const toBorder = Math.min(x - 2, 6 - x, ys![i]! - 1, 6 - ys![i]!);
      expect(toBorder).toBeLessThanOrEqual(0.25);
    }
  });
});

describe('embedded grey pictures', () => {
  it('keep every value', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 40 }),
        fc.integer({ min: 1, max: 40 }),
        fc.integer(),
        (width, height, seed) => {
          const pixels = Uint8Array.from(
            { length: width * height },
            (_, i) => Math.imul(i + 1, seed | 1) >>> 13,
          );
          const { rgba, ...decoded } = decodePng(greyPng(pixels, width, height));
          expect(decoded).toEqual({ width, height });
          expect(Uint8Array.from(pixels, (_, i) => rgba[4 * i]!)).toEqual(pixels);
        },
      ),
      { numRuns: 30 },
    );
  });
});

const realData = process.env.HYBRIDMIM_REAL_DATA;

describe('a real scan', () => {
  it.skipIf(!realData)(
    'shows the liver at the left of the picture, and at its right, further back, the spleen',
    async () => {
      const [image, reference] = [
        await readVolume(join(realData!, 'ct_abdomen.nii.gz')),
        await readVolume(join(realData!, 'ct_abdomen_organs.nii.gz')),
      ];
      const classes = [
        { name: 'spleen', values: [1] },
        { name: 'liver', values: [6] },
      ];
      const picture = await drawn(
        'real',
        [{ caseName: 'ct_abdomen', image, reference, predictions: { copy: reference } }],
        {
          classes,
          window: [-160, 240],
        },
      );
      const cell = { left: 48, right: 647, top: 140, bottom: picture.height - 120 };
      const [spleen, liver] = [boxOfColour(picture, red, cell, 40)!, boxOfColour(picture, blue, cell, 40)!];
      const middle = (cell.left + cell.right) / 2;
      expect((liver.left + liver.right) / 2).toBeLessThan(middle);
      expect(spleen.left).toBeGreaterThan(middle);
      expect(liver.right - liver.left).toBeGreaterThan(spleen.right - spleen.left);
      expect((liver.top + liver.bottom) / 2).toBeLessThan((spleen.top + spleen.bottom) / 2);
    },
  );
});
