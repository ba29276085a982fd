export function isWhole(name: string, bytes: Buffer): boolean;
