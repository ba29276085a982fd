import { describe, expect, it } from 'vitest';
import { networkNames, networkSection } from '../../src/network/index.js';
import { segmentationNetwork, segmentationTask } from '../../src/training/segmentation-task.js';

const scheme = { kind: 'classes', names: ['organ'], values: [[1]] } as const;

/** Parameters of each encoder and of what follows it, as PyTorch's weights name them. */
const places = {
  unet: { encoder: 'down_4.', after: 'upcat_4.' },
  'seg-res-net': { encoder: 'down_layers.', after: 'up_layers.' },
  unetr: { encoder: 'vit.', after: 'decoder5.' },
  'swin-unetr': { encoder: 'swinViT.', after: 'decoder5.' },
};

describe("the encoder's share of the learning rate", () => {
  it('is looked at for every network', () =>
    expect(Object.keys(places).sort()).toEqual([...networkNames].sort()));

  it.each(Object.entries(places))('is that of the encoder alone: %s', (name, { encoder, after }) => {
    const network = segmentationNetwork(networkSection.parse({ name }), 1, scheme);
    const options = { network, scheme, batchSize: 1, crop: [32, 32, 32] as const };
    const sharesBelow = (place: string, encoderRate?: number) => {
      const { rateShare } = segmentationTask({ ...options, ...(encoderRate && { encoderRate }) });
      const names = network.specs.flatMap((spec) => (spec.name.startsWith(place) ? [spec.name] : []));
      return new Set(names.map((parameter) => rateShare?.(parameter)));
    };
    expect([...sharesBelow(encoder, 0.25)]).toEqual([0.25]);
    expect([...sharesBelow(after, 0.25)]).toEqual([1]);
    expect([...sharesBelow(encoder)]).toEqual([1]);
  });
});
