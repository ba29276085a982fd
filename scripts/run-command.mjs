import { spawn } from 'node:child_process';

/** A failure of set-up: what is missing, and the command or step that mends it. Printed as one sentence. */
export class SetupError extends Error {}

/**
 * Runs a program and shows its output only when it fails (or all of it with HYBRIDMIM_SETUP_VERBOSE=1).
 * @throws SetupError saying `remedy` when the program is missing or fails
 */
export async function runCommand(program, args, { cwd = process.cwd(), remedy, env = process.env } = {}) {
  const { code, output } = await capture(program, args, cwd, env);
  if (code === 0) return output;
  const tail = output.trim().split('\n').slice(-12).join('\n');
  throw new SetupError(
    `\`${program} ${args.slice(0, 4).join(' ')} ...\` ${code === null ? 'could not be started' : `failed (exit code ${code})`}: ${remedy}\n${tail}`,
  );
}

/** Whether a program can be started with these arguments. */
export async function canRun(program, args = ['--version']) {
  return (await capture(program, args, process.cwd(), process.env)).code === 0;
}

function capture(program, args, cwd, env) {
  return new Promise((resolve) => {
    const verbose = process.env.HYBRIDMIM_SETUP_VERBOSE === '1';
    const child = spawn(program, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    const keep = (chunk) => {
      if (verbose) process.stderr.write(chunk);
      output = (output + chunk).slice(-20_000);
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    child.on('error', (error) => resolve({ code: null, output: error.message }));
    child.on('close', (code) => resolve({ code, output }));
  });
}
