import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { z } from 'zod';

/** What a file's content must hash to. */
export interface Checksum {
  readonly algorithm: 'md5' | 'sha256';
  /** In small hexadecimal letters. */
  readonly hex: string;
}

/** Reads `md5:` with 32, or `sha256:` with 64 hexadecimal digits. */
export const checksumText = z
  .string()
  .regex(/^(md5:[0-9a-f]{32}|sha256:[0-9a-f]{64})$/i, {
    error: ({ input }) => `is "${input}", but must be md5: and 32, or sha256: and 64 hexadecimal digits`,
  })
  .transform((text): Checksum => {
    const [algorithm, hex = ''] = text.toLowerCase().split(':');
    return { algorithm: algorithm === 'md5' ? 'md5' : 'sha256', hex };
  });

/**
 * The hash of a file's content, which is read as a stream.
 * @param onBytes gets how many bytes have been read so far
 * @returns hexadecimal, in small letters
 * @throws the AbortError of a signal that is given meanwhile
 */
export async function hashFile(
  file: string,
  algorithm: Checksum['algorithm'],
  onBytes: (bytes: number) => void,
  signal?: AbortSignal,
): Promise<string> {
  const hash = createHash(algorithm);
  let bytes = 0;
  for await (const chunk of createReadStream(file, { highWaterMark: 2 ** 20, signal })) {
    hash.update(chunk);
    bytes += chunk.length;
    onBytes(bytes);
  }
  return hash.digest('hex');
}
