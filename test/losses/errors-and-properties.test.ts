import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { tf } from '../../src/engine/index.js';
import { ShapeError } from '../../src/errors.js';
import {
  consistencyLoss,
  contrastiveLoss,
  diceBinaryCrossEntropyLoss,
  diceCrossEntropyLoss,
  diceLoss,
  locationLoss,
  numberLoss,
  reconstructionLoss,
} from '../../src/losses/index.js';

beforeEach(() => tf.engine().startScope());
afterEach(() => tf.engine().endScope());

const value = (x: { dataSync(): ArrayLike<number> }) => x.dataSync()[0] as number;
const finite = fc.float({ min: -50, max: 50, noNaN: true });

describe('losses by hand', () => {
  it('counts only masked voxels in the reconstruction: (1 + 9) / 2 squared, (1 + 3) / 2 absolute', () => {
    const prediction = tf.tensor5d([1, 7, 3], [1, 1, 1, 3, 1]);
    const images = tf.tensor5d([2, 0, 6], [1, 1, 1, 3, 1]);
    const mask = tf.tensor5d([1, 0, 1], [1, 1, 1, 3, 1]);
    expect(value(reconstructionLoss(prediction, images, mask, 'l2'))).toBeCloseTo(5, 6);
    expect(value(reconstructionLoss(prediction, images, mask, 'l1'))).toBeCloseTo(2, 6);
  });

  it('is ln 9 for a number head that knows nothing, ln 2 for such a location head', () => {
    expect(value(numberLoss(tf.zeros([2, 3, 9]), tf.ones([2, 3], 'int32')))).toBeCloseTo(Math.log(9), 6);
    expect(value(locationLoss(tf.zeros([2, 3, 8]), tf.ones([2, 3, 8])))).toBeCloseTo(Math.log(2), 6);
  });

  it('is near 0 when number and locations are sure of the same count, soft or hard', () => {
    const numbers = tf
      .oneHot(tf.tensor2d([[3]], [1, 1], 'int32'), 9)
      .mul(40)
      .sub(20)
      .cast('float32');
    const locations = tf.tensor3d([20, -20, 20, -20, -20, 20, -20, -20], [1, 1, 8]);
    expect(value(consistencyLoss(numbers as never, locations, 'soft'))).toBeLessThan(1e-6);
    expect(value(consistencyLoss(numbers as never, locations, 'hard'))).toBeLessThan(1e-6);
  });

  it('is ln(2B - 1) for a contrast among equal features', () => {
    expect(value(contrastiveLoss(tf.ones([3, 4]), tf.ones([3, 4]), 0.5))).toBeCloseTo(Math.log(5), 5);
  });

  it('is a Dice loss of 1 - 2 * 1 / (2 + 1) for one hit of two guesses', () => {
    const [guess, truth] = [tf.tensor5d([1, 1, 0], [1, 1, 1, 3, 1]), tf.tensor5d([1, 0, 0], [1, 1, 1, 3, 1])];
    expect(value(diceLoss(guess, truth))).toBeCloseTo(1 / 3, 4);
  });
});

describe('losses as properties', () => {
  it('leaves the reconstruction loss alone whatever is predicted where nothing was masked', () => {
    fc.assert(
      fc.property(fc.array(finite, { minLength: 4, maxLength: 4 }), finite, (seen, elsewhere) => {
        const [images, mask] = [
          tf.zeros([1, 1, 1, 4, 1]) as never,
          tf.tensor5d([1, 0, 1, 0], [1, 1, 1, 4, 1]),
        ];
        const loss = (values: number[]) =>
          value(reconstructionLoss(tf.tensor5d(values, [1, 1, 1, 4, 1]), images, mask));
        expect(loss([seen[0]!, elsewhere, seen[2]!, -elsewhere])).toBe(loss(seen));
      }),
      { numRuns: 30 },
    );
  });

  it('is the same contrast for features of any length, and when the passes change places', () => {
    fc.assert(
      fc.property(
        fc.array(fc.float({ min: Math.fround(0.1), max: 2, noNaN: true }), { minLength: 12, maxLength: 12 }),
        (values) => {
          const first = tf.tensor2d(values.slice(0, 6), [2, 3]);
          const second = tf.tensor2d(values.slice(6), [2, 3]);
          const loss = value(contrastiveLoss(first, second, 0.5));
          expect(value(contrastiveLoss(first.mul(7), second.mul(0.3), 0.5))).toBeCloseTo(loss, 5);
          expect(value(contrastiveLoss(second, first, 0.5))).toBeCloseTo(loss, 5);
        },
      ),
      { numRuns: 30 },
    );
  });

  it('stays finite and at least 0 for logits as large as float32 has them', () => {
    for (const scale of [1e4, 1e30]) {
      const logits = tf.tensor([1, -1, 1, -1, -1, 1, 1, -1]).mul(scale);
      const targets = tf.tensor([1, 1, 0, 0, 1, 0, 1, 0]);
      const found = [
        locationLoss(logits.reshape([1, 1, 8]), targets.reshape([1, 1, 8])),
        numberLoss(logits.reshape([1, 1, 8]), tf.tensor2d([[3]], [1, 1], 'int32')),
        diceBinaryCrossEntropyLoss(logits.reshape([1, 2, 2, 1, 2]), targets.reshape([1, 2, 2, 1, 2])).total,
        diceCrossEntropyLoss(
          logits.reshape([1, 2, 2, 1, 2]),
          targets.slice(0, 4).reshape([1, 2, 2, 1]).cast('int32'),
        ).total,
      ].map(value);
      for (const loss of found) {
        expect(Number.isFinite(loss)).toBe(true);
        expect(loss).toBeGreaterThanOrEqual(0);
      }
    }
  });
});

describe('losses refuse shapes that do not fit, by name', () => {
  const image = tf.keep(tf.zeros([1, 2, 2, 2, 3]));
  it.each<[string, () => unknown, RegExp]>([
    [
      'reconstruction',
      () => reconstructionLoss(image as never, tf.zeros([1, 2, 2, 2, 1]), tf.zeros([1, 2, 2, 2, 1])),
      /reconstruction loss.*\[1,2,2,2,3\].*\[1,2,2,2,1\]/,
    ],
    [
      'its mask',
      () => reconstructionLoss(image as never, image as never, image as never),
      /the mask \[1,2,2,2,3\] must be \[1,2,2,2,1\]/,
    ],
    [
      'number',
      () => numberLoss(tf.zeros([2, 3, 9]), tf.zeros([2, 4], 'int32')),
      /number loss: counts \[2,4\] must be \[2,3\]/,
    ],
    ['location', () => locationLoss(tf.zeros([2, 3, 8]), tf.zeros([2, 3, 7])), /location loss/],
    ['contrast', () => contrastiveLoss(tf.zeros([2, 3]), tf.zeros([3, 3]), 0.5), /contrastive loss/],
    [
      'contrast of one',
      () => contrastiveLoss(tf.zeros([1, 3]), tf.zeros([1, 3]), 0.5),
      /batch of 1 has no negatives/,
    ],
    ['Dice', () => diceLoss(image as never, tf.zeros([1, 2, 2, 2, 2])), /Dice loss/],
    [
      'Dice + cross-entropy',
      () => diceCrossEntropyLoss(image as never, tf.zeros([1, 2, 2, 3], 'int32')),
      /labels \[1,2,2,3\] must be \[1,2,2,2\]/,
    ],
    [
      'Dice + binary cross-entropy',
      () => diceBinaryCrossEntropyLoss(image as never, tf.zeros([1, 2, 2, 2, 2])),
      /Dice \+ binary/,
    ],
  ])('%s', (_, body, message) => {
    expect(body).toThrow(ShapeError);
    expect(body).toThrow(message);
  });
});
