import { callEarly } from './lifeline.js';
import { type Environment, starterOf } from './starters.js';

/**
 * Calls rank 0, or waits for the others as rank 0, where this process is a rank of a training command: the first thing that
 * the program does. What is no place is left to `rankPlaceOf`, which says so.
 * @param args without the program's own name
 */
export function callEarlyAsRank([command, ...args]: readonly string[], environment: Environment): void {
  const starter = starterOf(environment);
  const trains = (command === 'pretrain' || command === 'finetune') && args.includes('--private-network');
  if (!starter || !trains || args.includes('--dry-run')) return;
  const whole = (text = '') => (/^\d{1,7}$/.test(text) ? Number(text) : Number.NaN);
  const {
    MASTER_ADDR,
    MASTER_PORT = '29500',
    HYBRIDMIM_TOKEN,
    HYBRIDMIM_PATIENCE = '120',
    HYBRIDMIM_LAUNCHER,
  } = environment;
  const [rank, ranks] = [whole(environment[starter.rank]), whole(environment[starter.ranks])];
  const [port, patience] = [whole(MASTER_PORT), whole(HYBRIDMIM_PATIENCE)];
  if (!(rank < ranks && ranks > 1 && port > 0 && port < 65_536 && patience > 0) || !MASTER_ADDR) return;
  callEarly({
    rank,
    ranks,
    host: MASTER_ADDR,
    port,
    token: HYBRIDMIM_TOKEN ?? '',
    patience,
    ...(HYBRIDMIM_LAUNCHER !== undefined && { launcher: whole(HYBRIDMIM_LAUNCHER) }),
  });
}
