/**
 * Arrays of one length that are used again. The system fills the pages of a fresh array with zeros when they are
 * touched, which takes longer than most of what is done to a crop.
 */
export interface SpareArrays {
  /** An array with any values. */
  take(): Float32Array;
  /** Takes an array back that nobody reads any more; one that was given back before is kept once. */
  giveBack(array: Float32Array): void;
}

/** No array at first; as many as were ever out at once. */
export function spareArrays(length: number): SpareArrays {
  const spare = new Set<Float32Array>();
  return {
    take: () => {
      for (const array of spare) {
        spare.delete(array);
        return array;
      }
      return new Float32Array(length);
    },
    giveBack: (array) => {
      if (array.length === length) spare.add(array);
    },
  };
}
