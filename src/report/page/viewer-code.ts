import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { WorkError } from '../../errors.js';

/**
 * NiiVue as one classic script that defines `niivue`. Throws WorkError when the package is not installed
 * whole.
 */
export async function viewerCode(): Promise<string> {
  // The package does not export this file by name, so it is looked up where Node would look.
  const folders = createRequire(import.meta.url).resolve.paths('@niivue/niivue') ?? [];
  const file = folders
    .map((folder) => join(folder, '@niivue/niivue/dist/niivue.umd.js'))
    .find((candidate) => existsSync(candidate));
  if (file !== undefined) return readFile(file, 'utf8');
  throw new WorkError(
    'the volume viewer (@niivue/niivue, dist/niivue.umd.js) is not installed: install the packages of hybridmim again',
  );
}
