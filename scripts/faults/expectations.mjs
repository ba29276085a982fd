import { HybridMimError } from '../../dist/errors.js';

/** What the comparison with the truth found. */
export class FaultFound extends Error {}

/** What was thrown, where it is an error that this program says in one sentence. */
export async function attempt(work) {
  try {
    return { value: await work() };
  } catch (error) {
    if (!(error instanceof HybridMimError)) throw error;
    if (error.message.includes('\n')) throw new FaultFound(`says it in several lines: ${error.message}`);
    return { error };
  }
}

export const require = (holds, why) => {
  if (!holds) throw new FaultFound(why);
};

/** A room of the program as it was built. */
export const room = (name) => import(`../../dist/${name}/index.js`);
