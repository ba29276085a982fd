import { createReadStream } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import type { Transform } from 'node:stream';
import { crc32, createInflate, createInflateRaw } from 'node:zlib';

/*
 * Every compressed byte of a scan is read here, and to its end: the checksum stands behind the last byte, and
 * what was damaged on the way may well decompress to as many bytes as were expected.
 */

/** Of what is read and what is given at a time. */
const pieceBytes = 1 << 20;

/**
 * What a gzip file (RFC 1952, of one member or several) or a zlib stream (RFC 1950) holds from byte `start` on,
 * in pieces of 1 MiB at most. Each member's checksum and length are compared when its last piece was taken.
 * What follows the last member and begins no other one is passed over, as gzip and nibabel do: zeros that fill
 * up a block above all.
 * @throws Error that says what is wrong with it
 */
export async function* decompressed(file: string, start: number): AsyncGenerator<Uint8Array, void> {
  const handle = await open(file);
  try {
    const first = await bytesAt(handle, start, 2);
    if (!isGzip(first)) {
      if (!isZlib(first)) throw new Error('it begins like neither gzip nor zlib');
      yield* inflated(file, start, createInflate({ chunkSize: pieceBytes }), pieceBytes); // compares its checksum
      return;
    }
    let readAhead = pieceBytes;
    for (let at = start; isGzip(await bytesAt(handle, at, 2)); ) {
      const data = at + (await headerLength(handle, at));
      const raw = createInflateRaw({ chunkSize: pieceBytes });
      let [checksum, length] = [0, 0];
      for await (const piece of inflated(file, data, raw, readAhead)) {
        checksum = crc32(piece, checksum);
        length += piece.length;
        yield piece;
      }
      const end = data + raw.bytesWritten;
      const trailer = await bytesAt(handle, end, 8);
      if (trailer.length < 8) throw new Error('it ends before its checksum');
      if (trailer.readUInt32LE(0) !== checksum) throw new Error('its checksum is another one');
      if (trailer.readUInt32LE(4) !== length % 2 ** 32)
        throw new Error('it says that it holds another length');
      readAhead = Math.min(pieceBytes, Math.max(1 << 16, 2 * (end - data))); // many small members: as bgzip writes
      at = end + 8;
    }
  } finally {
    await handle.close();
  }
}

const isGzip = (bytes: Buffer): boolean => bytes[0] === 0x1f && bytes[1] === 0x8b;

/** Deflate with a window of 32 KiB at most, and a check of both bytes. */
const isZlib = (bytes: Buffer): boolean =>
  bytes.length === 2 && (bytes.readUInt8(0) & 0x8f) === 8 && bytes.readUInt16BE(0) % 31 === 0;

/** What a stream that decompresses makes of a file from a byte on. It ends itself where the compression ends. */
async function* inflated(
  file: string,
  start: number,
  stream: Transform,
  readAhead: number,
): AsyncGenerator<Uint8Array, void> {
  const source = createReadStream(file, { start, highWaterMark: readAhead });
  source.on('error', (error) => stream.destroy(error));
  try {
    const pieces: AsyncIterable<Uint8Array> = source.pipe(stream);
    yield* pieces;
  } finally {
    stream.destroy();
    source.destroy();
  }
}

async function bytesAt(handle: FileHandle, at: number, length: number): Promise<Buffer> {
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, at);
  return buffer.subarray(0, bytesRead);
}

/** A name and a comment have no largest length in the format, but nobody writes longer ones. */
const longestHeader = 1 << 17;

const flags = { headerChecksum: 2, extra: 4, name: 8, comment: 16, reserved: 0xe0 };

/** Bytes of a member's header (RFC 1952, 2.3). */
async function headerLength(handle: FileHandle, at: number): Promise<number> {
  const header = await bytesAt(handle, at, longestHeader);
  const cut = () => new Error('it ends within its header');
  if (header.length < 10) throw cut();
  const [method, said] = [header.readUInt8(2), header.readUInt8(3)];
  if (method !== 8 || (said & flags.reserved) !== 0)
    throw new Error('its header says what gzip does not know');
  let length = 10;
  if (said & flags.extra) {
    if (header.length < length + 2) throw cut();
    length += 2 + header.readUInt16LE(length);
  }
  for (const flag of [flags.name, flags.comment]) {
    if (!(said & flag)) continue;
    const end = header.indexOf(0, length);
    if (end === -1) throw cut();
    length = end + 1;
  }
  if (said & flags.headerChecksum) {
    if (header.length < length + 2) throw cut();
    if (header.readUInt16LE(length) !== crc32(header.subarray(0, length)) % 2 ** 16)
      throw new Error('the checksum of its header is another one');
    length += 2;
  }
  if (header.length < length) throw cut();
  return length;
}
