export type Section = Readonly<Record<string, unknown>>;

/** `over` laid upon `base`: groups are joined key by key, anything else is replaced. */
export function overlaid(base: Section, over: Section): Section {
  const joined: Record<string, unknown> = { ...base };
  for (const [key, value] of Object.entries(over)) {
    const below = joined[key];
    joined[key] = isSection(below) && isSection(value) ? overlaid(below, value) : value;
  }
  return joined;
}

const isSection = (value: unknown): value is Section =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
