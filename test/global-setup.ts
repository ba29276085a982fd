import { spawnSync } from 'node:child_process';

/**
 * Compiles `src` to `dist` once, because worker threads run compiled files in tests as they do for users.
 * Type errors are the business of `npm run typecheck`; the compiler writes its output in spite of them.
 */
export default function compileSources(): void {
  const { error } = spawnSync('node_modules/.bin/tsc', ['-p', 'tsconfig.build.json'], { stdio: 'inherit' });
  if (error) throw error;
}
