import { existsSync, mkdtempSync, readFileSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { endianness, tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { DataError } from '../../src/errors.js';
import { headerOddities, readVolume, spacingOf } from '../../src/volume/index.js';
import { referenceFile } from './references.js';

const number = z.union([
  z.number(),
  z.enum(['nan', 'inf', '-inf']).transform((name) => Number(numbers[name])),
]);
const numbers = { nan: Number.NaN, inf: Number.POSITIVE_INFINITY, '-inf': Number.NEGATIVE_INFINITY };
const reading = z
  .object({ affine: z.array(number).length(12), values: z.array(number).length(4) })
  .nullable();
const drawSchema = z.object({
  kind: z.enum(['nifti1', 'nifti2', 'nrrd', 'metaimage']),
  /** Order of bytes, kind and bytes of a voxel, as NumPy writes them. */
  type: z.string(),
  count: z.int(),
  legal: z.boolean(),
  header: z.base64(),
  nibabel: reading.optional(),
  itk: reading,
});
type Draw = z.infer<typeof drawSchema>;
type Reading = z.infer<typeof reading>;

/** Made by `test/parity/volume/make_drawn_headers.py` with nibabel and SimpleITK. */
const [, ...lines] = gunzipSync(readFileSync(referenceFile('drawn-headers.jsonl.gz')))
  .toString()
  .trim()
  .split('\n');
const draws = lines.map((line) => drawSchema.parse(JSON.parse(line)));
/** In memory where the system has a folder there: what is read is some 1 kB, 5,000 times. */
const memory = '/dev/shm';
const folder = mkdtempSync(join(existsSync(memory) ? memory : tmpdir(), 'hybridmim-drawn-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Voxels as the script draws them. */
function voxelBytes({ type, count }: Draw): Buffer {
  const [, order = '', kind = '', length = ''] = /^([<>=|])([iuf])(\d)$/.exec(type) ?? [];
  const each = Number(length);
  const bytes = Buffer.alloc(count * each);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const little = order === '<' || (order !== '>' && endianness() === 'LE');
  for (let i = 0; i < count; i++) {
    const value = ((i * 37 + 11) % 101) - (kind === 'u' ? 0 : 50);
    if (kind === 'f')
      each === 4 ? view.setFloat32(i * 4, value, little) : view.setFloat64(i * 8, value, little);
    else if (each === 8) view.setBigInt64(i * 8, BigInt(value), little);
    else if (each === 4) view.setInt32(i * 4, value, little);
    else if (each === 2) view.setInt16(i * 2, value, little);
    else view.setInt8(i, value > 127 ? value - 256 : value);
  }
  return bytes;
}

const endings = { nifti1: '.nii', nifti2: '.nii', nrrd: '.nrrd', metaimage: '.mha' };

async function read(draw: Draw, i: number): Promise<{ reading: Reading; oddities: readonly string[] }> {
  // Each in a file of its own: one that is overwritten is flushed to the disk first.
  const file = join(folder, `${i}${endings[draw.kind]}`);
  writeFileSync(file, Buffer.concat([Buffer.from(draw.header, 'base64'), voxelBytes(draw)]));
  try {
    const { affine, data } = await readVolume(file);
    const at = [0, Math.floor(data.length / 3), Math.floor(data.length / 2) + 1, data.length - 1];
    return {
      reading: { affine: [...affine.rows], values: at.map((i) => Number(data[i])) },
      oddities: await headerOddities(file),
    };
  } catch (error) {
    if (!(error instanceof DataError)) throw error;
    expect(error.message).toContain(file);
    return { reading: null, oddities: [] };
  } finally {
    unlinkSync(file);
  }
}

/** Equal within what six digits of the references, and a float32 of the header, leave of them. */
function alike(a: Reading, b: Reading): boolean {
  if (!a || !b) return false;
  const mm = Math.max(...spacingOf({ rows: b.affine }), ...b.affine.map((n) => Math.abs(n) / 100));
  const close = (found: readonly number[], expected: readonly number[], scale: number) =>
    found.every((n, i) => Math.abs(n - (expected[i] ?? Number.NaN)) <= 1e-3 * scale);
  return close(a.affine, b.affine, mm) && close(a.values, b.values, 1);
}

describe('5,000 drawn headers', () => {
  it('have the place and values that the named reader gives, or are refused, or have a finding', async () => {
    const faults: string[] = [];
    const count = { equal: 0, refused: 0, finding: 0 };
    for (const [i, draw] of draws.entries()) {
      const { reading: found, oddities } = await read(draw, i);
      const named = draw.nibabel === undefined ? draw.itk : draw.nibabel;
      const others = draw.nibabel === undefined ? [] : [draw.itk];
      const header = Buffer.from(draw.header, 'base64').toString('latin1');
      const say = (what: string) =>
        faults.push(
          `${i} ${draw.kind} ${what}: ${JSON.stringify({ found, named, others, oddities })} ${draw.nibabel === undefined ? header : ''}`,
        );
      if (!found) {
        count.refused++;
        if (draw.legal) say('keeps to its format and is refused');
      } else if (oddities.length > 0) count.finding++;
      // "type:short", without a blank, is what it says here and nothing to ITK.
      else if (draw.kind === 'nrrd' && named === null && /^[a-z ]+:\S/m.test(header)) count.equal++;
      else if (!alike(found, named)) say('differs in silence from the named reader');
      else if (others.some((other) => other && !alike(found, other)))
        say('differs in silence from another reader');
      else count.equal++;
    }
    expect(faults.slice(0, 12), `${faults.length} faults`).toEqual([]);
    expect(draws.length).toBe(5000);
    expect(count.equal).toBeGreaterThan(1800);
    expect(count.finding).toBeGreaterThan(2000);
    expect(count.refused).toBeGreaterThan(500);
  }, 600_000); // of some 10 s of a processor, which others may share
});
