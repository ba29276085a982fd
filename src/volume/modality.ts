export type Modality = 'ct' | 'mr';

/** HU: air is -1000 and fat -100; MR is stored from 0 on, or scaled around it by a few units. */
export const lowestOfCt = -200;

/** What a scan's lowest value says: MR has none below 0, CT air or lung far below; undefined: neither. */
export function modalityOfLowest(lowest: number): Modality | undefined {
  if (lowest <= lowestOfCt) return 'ct';
  return lowest >= 0 ? 'mr' : undefined;
}
