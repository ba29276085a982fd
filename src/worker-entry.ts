import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { WorkError } from './errors.js';

/**
 * URL of the compiled worker file `relative` ('./x-worker.js') beside the module whose `import.meta.url` is
 * given. Worker threads run plain JavaScript, so a module that itself runs from `src` (in tests) points into
 * `dist`.
 * @throws WorkError when the compiled file is missing
 */
export function workerEntry(moduleUrl: string, relative: string): string {
  const compiledModule = moduleUrl.endsWith('.ts')
    ? moduleUrl.replace(/\/src\/(?!.*\/src\/)/, '/dist/')
    : moduleUrl;
  const entry = new URL(relative, compiledModule);
  if (!existsSync(fileURLToPath(entry))) {
    throw new WorkError(
      `the worker file ${fileURLToPath(entry)} is missing: compile the sources with "npm run build"`,
    );
  }
  return entry.href;
}
