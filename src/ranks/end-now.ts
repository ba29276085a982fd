import { libc } from './libc.js';

/**
 * Ends this process at once, as it is: what TensorFlow still has under way, such as a collective that waits for a rank that
 * is gone, would hold up an end in good order for ever.
 */
export async function endNow(exitCode: number): Promise<never> {
  const end = await libc('_exit', 'void', ['int']);
  end?.(exitCode);
  return process.exit(exitCode);
}
