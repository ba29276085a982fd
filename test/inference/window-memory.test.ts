import { expect, it } from 'vitest';
import { openPredictor, requireWindowMemory } from '../../src/inference/index.js';
import { makeNetwork, networkNames, networkSection } from '../../src/network/index.js';

const networks = networkNames.map((name) => ({
  name,
  network: makeNetwork(
    networkSection.parse(name === 'unetr' ? { name, imageSize: [4096, 4096, 4096] } : { name }),
    { inChannels: 1, outChannels: 2 },
  ),
}));

it.each(networks)('a window that cannot fit is refused before it is run: $name', ({ network }) => {
  const window = [4096, 4096, 4096] as const;
  const sentence =
    /^inference\.window \[4096,4096,4096\] with inference\.windowBatch 3 needs at least [\d.]+ GiB of memory, but [\d.]+ GiB is free/;
  expect(() => requireWindowMemory(network, { window, windowBatch: 3 })).toThrow(sentence);
  expect(() =>
    openPredictor({
      network,
      states: [],
      kind: 'classes',
      precision: 'float32',
      window,
      overlap: 0.5,
      blend: 'gaussian',
      windowBatch: 3,
      mirror: [],
      constantWindows: 'run',
    }),
  ).toThrow(sentence);
});

it('a window grows with its batch and each of its sides, and one that fits is let through', () => {
  const { network } = networks[0]!;
  const needed = 2 * network.encoderBytes(2, [64, 32, 32]);
  for (const window of [
    [64, 32, 32],
    [32, 64, 32],
    [32, 32, 64],
  ] as const) {
    expect(() => requireWindowMemory(network, { window, windowBatch: 2 }, needed)).not.toThrow();
    expect(() => requireWindowMemory(network, { window, windowBatch: 2 }, needed - 1)).toThrow();
    expect(() => requireWindowMemory(network, { window, windowBatch: 3 }, needed)).toThrow();
  }
});
