import type { ListedCase } from './listed-case.js';

/** Cases that by their names are visits of one patient, and that nothing groups. */
export interface LikelyVisits {
  readonly patients: number;
  readonly cases: number;
  /** The names of the first such patient's cases. */
  readonly example: readonly string[];
}

/** More cases of one "patient" than this are the cases of one site or year. */
const mostVisits = 20;

/** What is left of a name when its end says which visit it is: a word with or without number. */
const visitWord =
  /^(?<patient>.+?)[_-](?:(?:ses|sess|session|visit|vis|time|timepoint|tp|scan|exam|study|day|week|wk|month|mo|year|yr|fu|follow-?up|baseline|base|bl|pre|post|preop|postop|screening|scr|[vtdwmy](?=[_-]?\d))(?:[_-]?\d+)?)$/i;

/** Or a short number or a date behind a patient's number. */
const visitNumber = /^(?<patient>.*?\d)[_-](?:\d{1,3}|(?:19|20)\d{2}[_-]?\d{2}[_-]?\d{2})$/;

/** Or a letter behind a patient's number. */
const visitLetter = /^(?<patient>.*\d)[_-]?[a-d]$/i;

/** Looks for names that differ in a visit alone; undefined where there are none. */
export function likelyVisits(cases: readonly ListedCase[]): LikelyVisits | undefined {
  const names = cases.filter(({ group }) => group === undefined).map(({ name }) => name);
  const found = [visitWord, visitNumber, visitLetter].flatMap((pattern) => {
    const patients = new Map<string, string[]>();
    for (const name of names) {
      const patient = pattern.exec(name)?.groups?.patient;
      if (patient !== undefined) patients.set(patient, [...(patients.get(patient) ?? []), name]);
    }
    const visited = [...patients.values()].filter(({ length }) => length > 1 && length <= mostVisits);
    // Names of a single stem are numbered cases.
    return patients.size > 1 || pattern === visitWord ? visited : [];
  });
  const [example] = found;
  if (!example) return undefined;
  const all = new Set(found.flat());
  return { patients: found.length, cases: all.size, example: example.slice(0, 3) };
}
