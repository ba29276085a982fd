/**
 * The runs of a region: stretches of neighbouring voxels inside along x, as triples [row, first x, last x],
 * rising; a row is y + ny * z.
 */
export class Runs {
  private triples = new Int32Array(3 * 256);
  private filled = 0;

  /** How many runs there are. */
  get count(): number {
    return this.filled / 3;
  }

  /** The triples; no longer valid once a run is added. */
  get values(): Int32Array {
    return this.triples.subarray(0, this.filled);
  }

  /** Adds a run that lies after all that are there, or lengthens the last one that it touches. */
  add(row: number, from: number, to: number): void {
    const end = this.filled;
    if (end > 0 && this.triples[end - 3] === row && this.triples[end - 1] === from - 1) {
      this.triples[end - 1] = to;
      return;
    }
    if (end === this.triples.length) {
      const larger = new Int32Array(2 * end);
      larger.set(this.triples);
      this.triples = larger;
    }
    this.triples[end] = row;
    this.triples[end + 1] = from;
    this.triples[end + 2] = to;
    this.filled = end + 3;
  }
}
