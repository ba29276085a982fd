import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { tf } from '../../src/engine/index.js';
import { ShapeError } from '../../src/errors.js';
import {
  elementCount,
  initialiseParameters,
  parameter,
  stepInput,
  toPyTorch,
  unet,
} from '../../src/network/index.js';
import { referenceFile } from './unet-parity.js';

const width = z.int();
const counted = z
  .record(
    z.string(),
    z.object({
      channels: width,
      features: z.tuple([width, width, width, width, width, width]),
      classes: width,
      parameters: z.int(),
      shapes: z.record(z.string(), z.array(z.int())),
    }),
  )
  .parse(JSON.parse(readFileSync(referenceFile('layers.json'), 'utf8')));

describe.each(Object.entries(counted))(
  'the parameters of a UNet beside MONAI BasicUNet, %s widths',
  (_, reference) => {
    const { channels, features, classes } = reference;
    const { specs } = unet({
      inChannels: channels,
      outChannels: classes,
      features,
      pools: [2, 2, 2, 2],
      dropout: 0.1,
    });

    it('have its names in its order, and its shapes', () => {
      const shapes = specs.map(
        ({ name, layout, shape }) =>
          [name, toPyTorch({ shape, data: new Float32Array(0) }, layout).shape] as const,
      );
      expect(shapes).toEqual(Object.entries(reference.shapes));
    });

    it('are as many', () => {
      expect(specs.reduce((sum, { shape }) => sum + elementCount(shape), 0)).toBe(reference.parameters);
    });
  },
);

it('counts the parameters that the paper and MONAI state', () => {
  expect(counted.monai?.parameters).toBe(5_749_410);
  expect(counted.paper?.parameters).toBe(22_986_050);
});

describe('starting values', () => {
  const config = {
    inChannels: 1,
    outChannels: 2,
    features: [8, 8, 8, 16, 16, 8],
    pools: [2, 2, 2, 2],
    dropout: 0.1,
  } as const;
  const { specs } = unet(config);
  const values = initialiseParameters(specs, 7);

  it('are uniform within 1 / sqrt(fan in) for convolutions, as PyTorch draws them', () => {
    for (const [name, fanIn] of [
      ['down_1.convs.conv_0.conv.weight', 8 * 27],
      ['upcat_3.upsample.deconv.weight', 8 * 8], // a transposed convolution's fan in counts its outputs
      ['conv_0.conv_1.conv.weight', 8 * 27],
    ] as const) {
      const data = values[name]?.data as Float32Array;
      const bound = 1 / Math.sqrt(fanIn);
      const meanSquare = data.reduce((sum, value) => sum + value ** 2, 0) / data.length;
      expect(data.every((value) => Math.abs(value) <= Math.fround(bound))).toBe(true);
      expect(Math.abs((3 * meanSquare) / bound ** 2 - 1)).toBeLessThan(0.15); // of over 500 values: standard deviation 0.04
    }
  });

  it('are ones and zeros for norms', () => {
    expect([...(values['conv_0.conv_0.adn.N.weight']?.data ?? [])]).toEqual(new Array(8).fill(1));
    expect([...(values['conv_0.conv_0.adn.N.bias']?.data ?? [])]).toEqual(new Array(8).fill(0));
  });

  it('repeat from the seed, differ between seeds and names, and do not depend on the other parameters', () => {
    expect(initialiseParameters(specs, 7)).toEqual(values);
    expect(initialiseParameters(specs, 8)['final_conv.weight']).not.toEqual(values['final_conv.weight']);
    expect(values['down_1.convs.conv_0.conv.weight']?.data).not.toEqual(
      values['down_1.convs.conv_1.conv.weight']?.data,
    );
    const wider = initialiseParameters(unet({ ...config, features: [8, 8, 8, 16, 32, 8] }).specs, 7);
    expect(wider['final_conv.weight']).toEqual(values['final_conv.weight']);
  });
});

describe('parameters and inputs of a step', () => {
  const fed = { images: tf.zeros([1, 2, 3, 4, 1]), words: tf.zeros([2]) };

  it('are given where they have as many axes as the reader says', () => {
    expect(stepInput(fed, 'images', 5)).toBe(fed.images);
    expect(parameter(fed, 'words', 1)).toBe(fed.words);
  });

  it('are refused by name where they are missing or have other axes', () => {
    expect(() => stepInput(fed, 'corrupted', 5)).toThrow(
      'the step needs an input named corrupted, which it was not fed',
    );
    expect(() => stepInput(fed, 'images', 4)).toThrow(ShapeError);
    expect(() => stepInput(fed, 'images', 4)).toThrow(
      /images of a step must have 4 axes, but has shape \[1,2,3,4,1\]/,
    );
    expect(() => parameter(fed, 'words', 2)).toThrow(/words must have 2 axes, but has shape \[2\]/);
  });
});
