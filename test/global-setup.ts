import { execFileSync } from 'node:child_process';

/** Compiles `src` to `dist` once, because worker threads run compiled files in tests as they do for users. */
export default function compileSources(): void {
  execFileSync('node_modules/.bin/tsc', ['-p', 'tsconfig.build.json'], { stdio: 'inherit' });
}
