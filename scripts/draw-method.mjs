// Draws docs/images/method.svg: how a crop of HybridMIM divides into sub-volumes and patches, and which task looks at what.
// node scripts/draw-method.mjs
import { writeFileSync } from 'node:fs';

const SIDE = 288; // of the crop of 96 voxels: 3 units a voxel
const voxel = SIDE / 96;
const colours = {
  ink: '#24292f',
  quiet: '#57606a',
  masked: '#57606a',
  visible: '#eef2f6',
  region: '#d9480f',
  number: '#1f6fb2',
};
const text = (x, y, words, { size = 14, weight = 400, fill = colours.ink, anchor = 'start' } = {}) =>
  `<text x="${x}" y="${y}" font-size="${size}" font-weight="${weight}" fill="${fill}" text-anchor="${anchor}">${words}</text>`;
const box = (x, y, side, attributes) =>
  `<rect x="${x}" y="${y}" width="${side}" height="${side}" ${attributes}/>`;
const arrow = (x1, y1, x2, y2) =>
  `<line x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}" stroke="${colours.quiet}" stroke-width="1.5" marker-end="url(#tip)"/>`;

/** Masked patches of a plane of 6 x 6, a row a string. */
const plane = ['.#..#.', '#..##.', '..#.#.', '.#...#', '#..##.', '..##..'];

const cells = plane.flatMap((row, y) =>
  [...row].map((mark, x) =>
    box(
      x * 16 * voxel,
      y * 16 * voxel,
      16 * voxel,
      `fill="${mark === '#' ? colours.masked : colours.visible}" stroke="#ffffff" stroke-width="1"`,
    ),
  ),
);
const subVolumes = [0, 1, 2].flatMap((y) =>
  [0, 1, 2].map((x) =>
    box(
      x * 32 * voxel,
      y * 32 * voxel,
      32 * voxel,
      `fill="none" stroke="${colours.number}" stroke-width="2"`,
    ),
  ),
);
const region = box(
  16 * voxel,
  16 * voxel,
  64 * voxel,
  `fill="none" stroke="${colours.region}" stroke-width="3" stroke-dasharray="9 5"`,
);
const crop = `<g transform="translate(30 70)">${cells.join('')}${subVolumes.join('')}${region}${box(0, 0, SIDE, `fill="none" stroke="${colours.ink}" stroke-width="2"`)}</g>`;
const notes = [
  [colours.ink, 'crop: 96 voxels a side'],
  [colours.number, 'sub-volumes of 32: each has 2 x 2 x 2 patches'],
  [colours.masked, 'masked patches of 16 (dark): 40 %, drawn anew each step'],
  [colours.region, 'target region of 64: what the decoder rebuilds'],
].map(([fill, words], i) => box(30, 380 + i * 24, 13, `fill="${fill}"`) + text(50, 391.5 + i * 24, words));

/** A task: what it looks at, what it says and its equation's loss. */
const task = (y, title, lines) =>
  `<g transform="translate(620 ${y})"><rect width="348" height="${34 + 19 * lines.length}" rx="6" fill="#f6f8fa" stroke="#d0d7de"/>` +
  text(14, 23, title, { weight: 600 }) +
  lines.map((line, i) => text(14, 44 + 19 * i, line, { size: 12.5, fill: colours.quiet })).join('') +
  '</g>';
const network = (y, height, title, line) =>
  `<g transform="translate(380 ${y})"><rect width="170" height="${height}" rx="6" fill="#ffffff" stroke="${colours.ink}" stroke-width="1.5"/>` +
  text(85, height / 2 - 2, title, { anchor: 'middle', weight: 600 }) +
  text(85, height / 2 + 17, line, { anchor: 'middle', size: 12, fill: colours.quiet }) +
  '</g>';
const parts = [
  text(30, 40, 'HybridMIM: a masked crop, and what is asked of it', { size: 20, weight: 600 }),
  crop,
  ...notes,
  network(120, 80, 'encoder', 'sees masked patches as 0'),
  network(280, 80, 'decoder', 'of the target region alone'),
  arrow(322, 160, 376, 160),
  arrow(465, 200, 465, 276),
  arrow(552, 145, 614, 110),
  arrow(552, 165, 614, 210),
  arrow(552, 185, 614, 305),
  arrow(552, 325, 614, 405),
  task(70, 'Number, a sub-volume', ['How many of its 8 patches are masked?', 'Cross-entropy over 0 to 8']),
  task(170, 'Location, a sub-volume', [
    'Which of its 8 patches are masked?',
    'Binary cross-entropy, consistent with the number',
  ]),
  task(270, 'Contrast, a crop', [
    'Which other view is of the same crop?',
    'Two dropout views; the other crops are different',
  ]),
  task(370, 'Reconstruction, a voxel', [
    'What was in the masked patches?',
    'Mean squared error, masked voxels of the region',
  ]),
];
writeFileSync(
  new URL('../docs/images/method.svg', import.meta.url),
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 980 490" width="980" height="490" font-family="Roboto, Helvetica, Arial, sans-serif">` +
    `<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0 L8 4 L0 8 z" fill="${colours.quiet}"/></marker></defs>` +
    `<rect width="980" height="490" fill="#ffffff"/>${parts.join('')}</svg>\n`,
);
