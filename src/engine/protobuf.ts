/** Protocol-buffer fields, as bytes: TensorFlow's settings and saved models are messages of these. */

/** An integer or an enumeration. */
export const varintField = (field: number, value: number): Buffer =>
  Buffer.from([...varint(field * 8), ...varint(value)]);

/** A number in double precision. */
export function doubleField(field: number, value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleLE(value);
  return Buffer.concat([Buffer.from(varint(field * 8 + 1)), bytes]);
}

/** A message within another, or text. */
export function messageField(field: number, content: Buffer | string): Buffer {
  const bytes = Buffer.from(content);
  return Buffer.concat([Buffer.from([...varint(field * 8 + 2), ...varint(bytes.length)]), bytes]);
}

/** One entry of a map from text to messages. */
export const mapEntry = (field: number, key: string, value: Buffer): Buffer =>
  messageField(field, Buffer.concat([messageField(1, key), messageField(2, value)]));

/** Seven bits a byte from the lowest on, the top bit set on all but the last. */
function varint(value: number): number[] {
  return value < 128 ? [value] : [(value % 128) + 128, ...varint(Math.floor(value / 128))];
}
