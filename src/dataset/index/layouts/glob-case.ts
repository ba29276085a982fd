import { basename } from 'node:path';
import { UsageError } from '../../../errors.js';
import { linearPattern } from '../linear-pattern.js';
import type { CaseOf } from './match-cases.js';

/**
 * Matches paths below `root` with a glob: `*` is any part of a name, `?` one
 * character, `**` any folders, `{a,b}` either. The case's name is what the
 * wildcards matched, joined by "_"; the file's own name where there is no wildcard.
 * Capitals count, but for the endings of scans: Windows and scanners write `.NII.GZ`.
 */
export function globCase(root: string, glob: string): CaseOf {
  const below = translate(smallEndings(glob.replace(/^\.\//, '')));
  const pattern = linearPattern(`^${literal(root.replace(/\/$/, ''))}/${below}$`);
  if ('problem' in pattern) throw new UsageError(`the glob "${glob}" cannot be used: ${pattern.problem}`);
  return (file) => {
    const match = pattern(
      file.replace(/\.(nii(\.gz)?|hdr|mh[ad]|mg[hz]|n(rrd|hdr))$/i, (ending) => ending.toLowerCase()),
    );
    if (!match) return undefined;
    const wild = match.slice(1).flatMap((part) => part || []);
    return wild.length > 0 ? wild.map((part) => part.replace(/\/$/, '')).join('_') : basename(file);
  };
}

function translate(glob: string): string {
  return glob.replace(/\*\*\/?|\*|\?|\{[^}]*\}|[^*?{]+|\{/g, (token) => {
    if (token.startsWith('**')) return token.endsWith('/') ? '((?:[^/]+/)*)' : '(.*)';
    if (token === '*') return '([^/]*?)';
    if (token === '?') return '([^/])';
    if (/^\{.*\}$/.test(token)) return `(?:${token.slice(1, -1).split(',').map(literal).join('|')})`;
    return literal(token);
  });
}

/** The endings of scans in a glob, also those of which one is to be chosen, in small letters. */
function smallEndings(glob: string): string {
  return glob.replace(/(?<=[.{,])(nii|gz|hdr|mha|mhd|mgh|mgz|nrrd|nhdr)(?=$|[.,}])/gi, (ending) =>
    ending.toLowerCase(),
  );
}

function literal(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
