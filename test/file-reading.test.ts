import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';

/** What is read whole outside `src/text-file.ts`, and why nothing of others can be in its place. */
const readWhole: Readonly<Record<string, string>> = {
  'engine/devices.ts': "the system's own account of its processors",
  'training/resident-peak.ts': "the system's own account of this process",
  'threads/ask-process.ts': "the system's own account of a process",
  'free-memory.ts': "the system's own account of its memory",
  'package-version.ts': 'of this package',
  'cli/doctor-checks.ts': 'of this package',
  'report/page/viewer-code.ts': 'of a package',
  'report/page/report-page.ts': 'fonts of a package',
  'training/reconstruction-picture.ts': 'a picture, by its bytes',
  'network/safetensors.ts': 'weights, whose header was looked at before',
  'volume/dicom-file.ts': 'a slice, whose size was looked at before',
};

it('text of others is read by src/text-file.ts alone, which has a bound', () => {
  const found = readdirSync('src', { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && name !== 'text-file.ts')
    .filter((name) => /\breadFile(Sync)?\(|\.text\(\)/.test(readFileSync(join('src', name), 'utf8')));
  expect(found.toSorted()).toEqual(Object.keys(readWhole).toSorted());
});
