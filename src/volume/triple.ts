/** Three numbers in file order `[x, y, z]`. */
export type Triple = readonly [number, number, number];
