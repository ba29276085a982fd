export type Section = Readonly<Record<string, unknown>>;

/** `over` laid upon `base`: groups are joined key by key, anything else is replaced. */
export function overlaid(base: Section, over: Section): Section {
  const joined = new Map(Object.entries(base));
  for (const [key, value] of Object.entries(over)) {
    const below = joined.get(key);
    joined.set(key, isSection(below) && isSection(value) ? overlaid(below, value) : value);
  }
  return Object.fromEntries(joined); // keys of their own, whatever they are named
}

/** Names that every object of JavaScript has something under; no setting is named so. */
const inherited = new Set(['__proto__', 'constructor', 'prototype']);

/** The first key, however deep, whose name no setting may have; undefined where there is none. */
export function inheritedName(value: unknown, depth = 0): string | undefined {
  if (typeof value !== 'object' || value === null || depth > 100) return undefined;
  for (const [key, part] of Object.entries(value)) {
    const found = inherited.has(key) && !Array.isArray(value) ? key : inheritedName(part, depth + 1);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Whether no setting may have this name. */
export const isInheritedName = (key: string): boolean => inherited.has(key);

const isSection = (value: unknown): value is Section =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
