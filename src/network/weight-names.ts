import { entryOf } from '../at.js';
import type { NamedArrays } from '../engine/index.js';
import { DataError } from '../errors.js';

/** Prefixes that training scripts and wrappers put before every name of a state dict. */
const WRAPPERS = /^((module|_orig_mod|backbone|model|network|net)\.)+/;

/** Names of a transformer inside a network, which its own published weights leave out. */
const BACKBONES = ['swinViT.', 'vit.'];

/** How published files call the transformer, if they name it at all. */
const BACKBONE_NAMES = /^(encoder|swinViT|swin_vit|vit)\./;

/** Parts of MONAI's blocks that no network here computes; older releases wrote more of them. */
export const isNeverComputed = (name: string): boolean => /(^|\.)(norm_)?cross_attn\./.test(name);

/**
 * The names of a weights file as the network has them. Published weights differ in prefixes (`module.`,
 * `backbone.`, `encoder.`, `swin_vit.`, or none where the network has `swinViT.`), in the names of a
 * perceptron's layers (`mlp.fc1` for `mlp.linear1`), and in a stage that is nested once more (`layers1.0.0.`
 * for `layers1.0.`).
 * @returns the network's name by the file's; a name that fits nothing is its own
 * @throws DataError when two names of the file fit one of the network
 */
export function knownNames(
  names: readonly string[],
  known: ReadonlySet<string>,
  file: string,
): ReadonlyMap<string, string> {
  return matchedNames(names, (name) => known.has(name), file);
}

function matchedNames(
  names: readonly string[],
  isKnown: (name: string) => boolean,
  file: string,
): ReadonlyMap<string, string> {
  const found = new Map(names.map((name) => [name, candidates(name).find(isKnown) ?? name]));
  const sources = new Map<string, string>();
  for (const [name, target] of found) {
    const other = sources.get(target);
    if (other !== undefined) {
      throw new DataError(
        `${file} holds both ${other} and ${name}, which are the same parameter ${target} of this ` +
          `network: keep one of them`,
        {
          file,
          field: name,
        },
      );
    }
    sources.set(target, name);
  }
  return found;
}

function candidates(name: string): string[] {
  const plain = name
    .replace(WRAPPERS, '')
    .replace(/\.mlp\.fc([12])\./, '.mlp.linear$1.')
    .replace(/(^|\.)(layers\dc?\.0)\.0\./, '$1$2.');
  const bare = plain.replace(BACKBONE_NAMES, '');
  return [name, plain, ...BACKBONES.map((prefix) => prefix + bare)];
}

/**
 * A file's arrays under the network's names, as far as they have its pattern: numbers of blocks and stages
 * may be any, so that settings can be read off them afterwards.
 * @param pattern names of the network at any settings
 * @throws DataError when two names of the file fit one of the network
 */
export function withKnownNames(arrays: NamedArrays, file: string, pattern: readonly string[]): NamedArrays {
  const generic = (name: string) => name.replace(/\d+/g, '0');
  const known = new Set(pattern.map(generic));
  const names = matchedNames(Object.keys(arrays), (name) => known.has(generic(name)), file);
  return Object.fromEntries(Object.entries(arrays).map(([name, array]) => [entryOf(names, name), array]));
}
