import { describe, expect, it } from 'vitest';
import { UsageError } from '../../src/errors.js';
import { channelValue, labelScheme, outputChannels } from '../../src/inference/index.js';

const tumour = { 1: 'necrotic core', 2: 'oedema', 4: 'enhancing tumour' };

describe('what the channels of a network mean', () => {
  it('is background and one class each, in order of label value', () => {
    const scheme = labelScheme({ 2: 'spleen', 1: 'liver' });
    expect(scheme).toEqual({ kind: 'classes', names: ['liver', 'spleen'], values: [[1], [2]] });
    expect(outputChannels(scheme)).toBe(3);
    expect([0, 1, 2].map((channel) => channelValue(scheme, channel))).toEqual([0, 1, 2]);
  });

  it('is one region each, written as the value that sets it apart from the smaller ones (BraTS)', () => {
    const scheme = labelScheme(tumour, { WT: [1, 2, 4], TC: [1, 4], ET: [4] });
    expect(scheme).toEqual({ kind: 'regions', names: ['WT', 'TC', 'ET'], values: [[1, 2, 4], [1, 4], [4]] });
    expect(outputChannels(scheme)).toBe(3);
    expect([0, 1, 2].map((channel) => channelValue(scheme, channel))).toEqual([2, 1, 4]);
  });

  it('refuses a region with a value that is no class', () => {
    expect(() => labelScheme(tumour, { WT: [1, 2, 3] })).toThrow(
      "data.regions.WT has the label value 3, but the dataset's are 1, 2, 4",
    );
    expect(() => labelScheme(tumour, { WT: [1, 2, 3] })).toThrow(UsageError);
  });

  it('refuses regions in an order that leaves one of them no value of its own', () => {
    expect(() => labelScheme(tumour, { ET: [4], WT: [1, 2, 4] })).toThrow(
      /data\.regions\.ET has no label value .*: order regions from the largest/,
    );
  });
});
