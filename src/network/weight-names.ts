import { DataError } from '../errors.js';

/** Prefixes that training scripts and wrappers put before every name of a state dict. */
const WRAPPERS = /^(module\.|_orig_mod\.)+/;

/** Names of a transformer inside a network, which its own published weights leave out. */
const BACKBONES = ['swinViT.', 'vit.'];

/** Parts of MONAI's blocks that no network here computes; older releases wrote more of them. */
export const isNeverComputed = (name: string): boolean => /(^|\.)(norm_)?cross_attn\./.test(name);

/**
 * The names of a weights file as the network has them. Published weights differ in prefixes (`module.`, `encoder.`, or none where the
 * network has `swinViT.`) and in the names of a perceptron's layers (`mlp.fc1` for `mlp.linear1`).
 * @returns the network's name by the file's; a name that fits nothing is its own
 * @throws DataError when two names of the file fit one of the network
 */
export function knownNames(names: readonly string[], known: ReadonlySet<string>, file: string): ReadonlyMap<string, string> {
  const found = new Map(names.map((name) => [name, candidates(name).find((candidate) => known.has(candidate)) ?? name]));
  const sources = new Map<string, string>();
  for (const [name, target] of found) {
    const other = sources.get(target);
    if (other !== undefined) {
      throw new DataError(`${file} holds both ${other} and ${name}, which are the same parameter ${target} of this network: keep one of them`, {
        file,
        field: name,
      });
    }
    sources.set(target, name);
  }
  return found;
}

function candidates(name: string): string[] {
  const plain = name.replace(WRAPPERS, '').replace(/\.mlp\.fc([12])\./, '.mlp.linear$1.');
  const bare = plain.replace(/^(encoder|swinViT|vit)\./, '');
  return [name, plain, ...BACKBONES.map((prefix) => prefix + bare)];
}
