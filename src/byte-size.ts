/** A number of bytes for people: "512 B", "27.1 MiB", "1.4 GiB". */
export function byteSize(bytes: number): string {
  if (bytes < 2 ** 10) return `${Math.round(bytes)} B`;
  if (bytes < 2 ** 20) return `${(bytes / 2 ** 10).toFixed(1)} KiB`;
  if (bytes < 2 ** 30) return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
  return `${(bytes / 2 ** 30).toFixed(1)} GiB`;
}
