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

/** Words that say which scan of a patient it is, with a number of their own or before one. */
const numbered =
  /^(?:(?:ses|sess|session|visit|vis|time|timepoint|tp|scan|exam|study|day|week|wk|month|mo|year|yr|fu|follow-?up)\d*|[vtdwmy]\d+)[a-z]?$/i;

/** Words that say it alone. */
const alone =
  /^(?:baseline|base|bl|screening|scr|before|after|initial|final|first|second|third|1st|2nd|3rd|(?:pre|mid|post)(?:-?(?:op|rt|crt|nac|tx|treatment|therapy|surgery|chemo|contrast))?|inhale|exhale|insp|exp|inspiration|expiration|arterial|venous|portal|delayed|native|left|right)\d*$/i;

/** A date with or without marks between its parts. */
const date = /(?<!\d)(?:19|20)\d{2}([-_. ]?)(?:0[1-9]|1[0-2])\1(?:0[1-9]|[12]\d|3[01])(?!\d)/g;

/** A visit that is written right behind the number of a patient. */
const attached = /(?<=\d)(?:v|t|w|m|y|fu|bl|tp|ses|visit)\d{1,3}$/i;

/** What a name calls the patient when words for visits and dates are left out, and whether there are any. */
function withoutVisit(name: string): { patient: string; isVisit: boolean } {
  const words = name
    .replace(/follow[-_ ]up/gi, 'followup')
    .replace(date, 'visit')
    .split(/[-_. ]+/);
  const kept: string[] = [];
  let afterNumbered = false;
  for (const word of words) {
    const isNumber = /^\d{1,4}$/.test(word);
    if (isNumber && afterNumbered) continue;
    afterNumbered = numbered.test(word);
    if (!afterNumbered && !alone.test(word)) kept.push(word.replace(attached, ''));
  }
  const patient = kept.join('_');
  return { patient, isVisit: patient !== words.join('_') };
}

/** Or a short number behind a patient's number. */
const visitNumber = /^(?<patient>.*?\d)[_-]\d{1,3}$/;

/** Or a letter behind a patient's number. */
const visitLetter = /^(?<patient>.*\d)[_-]?[a-d]$/i;

/** Looks for names that differ in a visit alone; undefined where there are none. */
export function likelyVisits(cases: readonly ListedCase[]): LikelyVisits | undefined {
  const names = cases.filter(({ group }) => group === undefined).map(({ name }) => name);
  const byWord = new Map<string, { names: string[]; isVisit: boolean }>();
  for (const name of names) {
    const { patient, isVisit } = withoutVisit(name);
    const known = byWord.get(patient);
    byWord.set(patient, {
      names: [...(known?.names ?? []), name],
      isVisit: isVisit || known?.isVisit === true,
    });
  }
  const visited = [...byWord].flatMap(([patient, { names: those, isVisit }]) =>
    // A single word before numbers is what the scans show.
    isVisit && patient !== '' && (byWord.size > 1 || /\d/.test(patient)) ? [those] : [],
  );
  const byNumber = [visitNumber, visitLetter].flatMap((pattern) => {
    const patients = new Map<string, string[]>();
    for (const name of names) {
      const patient = pattern.exec(name)?.groups?.patient;
      if (patient !== undefined) patients.set(patient, [...(patients.get(patient) ?? []), name]);
    }
    return patients.size > 1 ? [...patients.values()] : []; // names of a single stem are numbered cases
  });
  const found = [...visited, ...byNumber].filter(({ length }) => length > 1 && length <= mostVisits);
  const [example] = found;
  if (!example) return undefined;
  const all = new Set(found.flat());
  return { patients: found.length, cases: all.size, example: example.slice(0, 3) };
}
