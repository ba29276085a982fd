// Assembles src/inference/slice-kernels.wat into slice-kernels-binary.ts beside it. Run it after each change of the text:
// node scripts/assemble-kernels.mjs
import { readFileSync, writeFileSync } from 'node:fs';
import wabt from 'wabt';

const folder = new URL('../src/inference/', import.meta.url);
const parsed = (await wabt()).parseWat(
  'slice-kernels.wat',
  readFileSync(new URL('slice-kernels.wat', folder), 'utf8'),
  { simd: true },
);
const base64 = Buffer.from(parsed.toBinary({}).buffer).toString('base64');
const lines = base64.match(/.{1,96}/g).map((line) => `  '${line}'`);
writeFileSync(
  new URL('slice-kernels-binary.ts', folder),
  `/** WebAssembly of slice-kernels.wat in base64, written by scripts/assemble-kernels.mjs. */\nexport const SLICE_KERNELS =\n${lines.join(' +\n')};\n`,
);
