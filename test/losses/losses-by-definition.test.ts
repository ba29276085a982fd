// Every loss as plain loops over numbers, on shapes of which no two axes are alike.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Scalar, type Tensor, tf } from '../../src/engine/index.js';
import { ShapeError } from '../../src/errors.js';
import { detached } from '../../src/losses/detach.js';
import {
  binaryCrossEntropy,
  classLoss,
  consistencyLoss,
  contrastiveLoss,
  diceBinaryCrossEntropyLoss,
  diceCrossEntropyLoss,
  diceLoss,
  locationLoss,
  meanSquaredError,
  numberLoss,
  reconstructionLoss,
} from '../../src/losses/index.js';
import { sameShape } from '../../src/losses/same-shape.js';
import { randomStream } from '../../src/random/streams.js';

beforeEach(() => tf.engine().startScope());
afterEach(() => tf.engine().endScope());

const value = (x: Tensor): number => x.dataSync()[0]!;
const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
const logSoftmax = (row: readonly number[]): number[] => {
  const total = Math.log(row.reduce((sum, x) => sum + Math.exp(x), 0));
  return row.map((x) => x - total);
};

/** Values around 0, the same ones for the same seed. */
function noise(length: number, seed: number, scale = 4): number[] {
  const stream = randomStream(seed, 'phantom');
  return Array.from({ length }, () => Math.fround(scale * (stream.uniform() - 0.5)));
}
const rowsOf = (values: readonly number[], width: number): number[][] =>
  Array.from({ length: values.length / width }, (_, row) => values.slice(row * width, (row + 1) * width));

/** [B, D, H, W, C] */
const shape = [2, 3, 4, 5, 3] as const;
const [voxels, classes] = [2 * 3 * 4 * 5, 3];
const image = (values: readonly number[]) => tf.tensor5d([...values], [...shape]);

describe('losses by definition', () => {
  it('mean squared error: over all values', () => {
    const [a, b] = [noise(voxels * 3, 1), noise(voxels * 3, 2)];
    expect(value(meanSquaredError(image(a), image(b)))).toBeCloseTo(
      mean(a.map((x, i) => (x - b[i]!) ** 2)),
      5,
    );
    expect(() => meanSquaredError(image(a), tf.zeros([2, 3, 4, 5, 1]))).toThrow(
      'mean squared error: the prediction [2,3,4,5,3] and the target [2,3,4,5,1]',
    );
  });

  it.each(['l2', 'l1'] as const)(
    'reconstruction by %s: mean over all channels of masked voxels',
    (distance) => {
      const [a, b] = [noise(voxels * 3, 1), noise(voxels * 3, 2)];
      const mask = Array.from({ length: voxels }, (_, i) => Number(i % 3 === 0));
      const errors = a.flatMap((x, i) =>
        mask[Math.floor(i / 3)] ? [distance === 'l2' ? (x - b[i]!) ** 2 : Math.abs(x - b[i]!)] : [],
      );
      const loss = reconstructionLoss(image(a), image(b), tf.tensor5d(mask, [2, 3, 4, 5, 1]), distance);
      expect(value(loss)).toBeCloseTo(mean(errors), 5);
    },
  );

  it('reconstruction: the squared difference unless it is told, and 0 where nothing is masked', () => {
    const [a, b, mask] = [
      image(noise(voxels * 3, 1)),
      image(noise(voxels * 3, 2)),
      tf.ones([2, 3, 4, 5, 1]) as never,
    ];
    expect(value(reconstructionLoss(a, b, mask))).toBe(value(reconstructionLoss(a, b, mask, 'l2')));
    expect(value(reconstructionLoss(a, b, tf.zeros([2, 3, 4, 5, 1])))).toBe(0);
    const one = tf.tensor5d([1, ...new Array(voxels - 1).fill(0)], [2, 3, 4, 5, 1]);
    expect(value(reconstructionLoss(tf.ones([...shape]), tf.zeros([...shape]), one))).toBeCloseTo(1, 6); // a single voxel is not shared by more
    expect(
      value(
        reconstructionLoss(tf.ones([1, 1, 1, 1, 1]), tf.zeros([1, 1, 1, 1, 1]), tf.ones([1, 1, 1, 1, 1])),
      ),
    ).toBe(1);
  });

  it('number: cross-entropy of the count, mean over sub-volumes and batch', () => {
    const [logits, counts] = [noise(2 * 5 * 4, 3), [0, 3, 1, 2, 3, 0, 0, 1, 2, 3]];
    const expected = mean(rowsOf(logits, 4).map((row, s) => -logSoftmax(row)[counts[s]!]!));
    expect(
      value(numberLoss(tf.tensor3d(logits, [2, 5, 4]), tf.tensor2d(counts, [2, 5], 'int32'))),
    ).toBeCloseTo(expected, 5);
    expect(() => numberLoss(tf.zeros([2, 5, 4]), tf.zeros([5, 2], 'int32'))).toThrow(
      'number loss: counts [5,2] must be [2,5], as the logits [2,5,4]',
    );
  });

  it('location: binary cross-entropy, mean over patches, sub-volumes and batch', () => {
    const [logits, locations] = [noise(2 * 5 * 4, 4), noise(2 * 5 * 4, 5).map((x) => Number(x > 0.3))];
    const expected = mean(logits.map((x, i) => -Math.log(locations[i] ? sigmoid(x) : 1 - sigmoid(x))));
    const found = locationLoss(tf.tensor3d(logits, [2, 5, 4]), tf.tensor3d(locations, [2, 5, 4]));
    expect(value(found)).toBeCloseTo(expected, 5);
    expect(value(binaryCrossEntropy(tf.tensor1d(logits), tf.tensor1d(locations)))).toBe(value(found));
  });

  it('class: cross-entropy, mean over the batch', () => {
    const [logits, words] = [noise(3 * 5, 6), [4, 0, 2]];
    const expected = mean(rowsOf(logits, 5).map((row, item) => -logSoftmax(row)[words[item]!]!));
    expect(value(classLoss(tf.tensor2d(logits, [3, 5]), tf.tensor1d(words, 'int32')))).toBeCloseTo(
      expected,
      5,
    );
    const misfit = () => classLoss(tf.zeros([3, 5]), tf.zeros([5], 'int32'));
    expect(misfit).toThrow(ShapeError);
    expect(misfit).toThrow('class loss: classes [5] must be [3], as the logits [3,5]');
  });

  it.each(['soft', 'hard'] as const)(
    'consistency, %s: cross-entropy of the rounded count and squared difference of the counts',
    (kind) => {
      const [numbers, locations] = [noise(2 * 3 * 5, 7), [...noise(2 * 3 * 4 - 1, 8), 0]]; // a logit of exactly 0 is not above one half
      const soft = kind === 'soft';
      const counts = rowsOf(locations, 4).map((row) =>
        row.reduce((sum, x) => sum + (soft ? sigmoid(x) : Number(x > 0)), 0),
      );
      const losses = rowsOf(numbers, 5).map((row, s) => {
        const logs = logSoftmax(row);
        const number = soft
          ? logs.reduce((sum, log, n) => sum + n * Math.exp(log), 0)
          : row.indexOf(Math.max(...row));
        return -logs[Math.round(counts[s]!)]! + (counts[s]! - number) ** 2;
      });
      const given = [tf.tensor3d(numbers, [2, 3, 5]), tf.tensor3d(locations, [2, 3, 4])] as const;
      expect(value(consistencyLoss(...given, kind))).toBeCloseTo(mean(losses), 4);
      if (soft) expect(value(consistencyLoss(...given))).toBe(value(consistencyLoss(...given, 'soft')));
    },
  );

  it('consistency: soft teaches the locations by the squared difference alone, hard does not teach them', () => {
    const [numbers, locations] = [noise(2 * 3 * 5, 7), noise(2 * 3 * 4, 8)];
    const taught = (kind: 'soft' | 'hard') => {
      const loss = (x: Tensor) => consistencyLoss(tf.tensor3d(numbers, [2, 3, 5]), x as never, kind);
      return Array.from(
        tf
          .grad((x) => loss(x))(tf.tensor3d(locations, [2, 3, 4]))
          .dataSync(),
      );
    };
    expect(taught('hard')).toEqual(new Array(24).fill(0));
    const gradient = taught('soft');
    for (const [s, row] of rowsOf(locations, 4).entries()) {
      const count = row.reduce((sum, x) => sum + sigmoid(x), 0);
      const number = logSoftmax(rowsOf(numbers, 5)[s]!).reduce((sum, log, n) => sum + n * Math.exp(log), 0);
      for (const [i, x] of row.entries())
        expect(gradient[s * 4 + i]).toBeCloseTo(
          (2 * (count - number) * sigmoid(x) * (1 - sigmoid(x))) / 6,
          5,
        );
    }
  });

  it('contrast: of all other features, each finds the one of the same crop', () => {
    const [first, second] = [rowsOf(noise(3 * 4, 9), 4), rowsOf(noise(3 * 4, 10), 4)];
    const all = [...first, ...second];
    const cosine = (a: readonly number[], b: readonly number[]) =>
      a.reduce((sum, x, i) => sum + x * b[i]!, 0) / Math.hypot(...a) / Math.hypot(...b);
    const losses = all.map((feature, i) => {
      const others = all.map((_, j) => j).filter((j) => j !== i);
      const scores = others.map((j) => cosine(feature, all[j]!) / 0.3);
      return -logSoftmax(scores)[others.indexOf((i + 3) % 6)]!;
    });
    const found = contrastiveLoss(tf.tensor2d(first.flat(), [3, 4]), tf.tensor2d(second.flat(), [3, 4]), 0.3);
    expect(value(found)).toBeCloseTo(mean(losses), 4);
  });

  it('contrast: a feature of zeros has no direction, and no loss or gradient that is not a number', () => {
    const other = tf.tensor2d(noise(6, 11), [2, 3]);
    const loss = (x: Tensor) => contrastiveLoss(x as never, other, 0.5);
    const { value: found, grad } = tf.valueAndGrad((x) => loss(x))(tf.zeros([2, 3]));
    for (const x of [value(found), ...grad.dataSync()]) expect(Number.isFinite(x)).toBe(true);
    const feature = tf.tensor2d(noise(6, 12), [2, 3]);
    expect(value(contrastiveLoss(feature.mul(1e-9), other, 0.5))).toBeCloseTo(
      value(contrastiveLoss(feature, other, 0.5)),
      4,
    ); // tiny ones have one
  });

  it('Dice: one less the mean over items and classes of twice the overlap by the sum of the sizes', () => {
    const [p, t] = [
      noise(voxels * classes, 13).map(sigmoid),
      noise(voxels * classes, 14).map((x) => Number(x > 0)),
    ];
    expect(value(diceLoss(image(p), image(t)))).toBeCloseTo(1 - mean(dices(p, t)), 5);
  });

  it('Dice: a class that is nowhere and predicted nowhere is no loss', () => {
    expect(value(diceLoss(tf.zeros([...shape]), tf.zeros([...shape])))).toBeCloseTo(0, 6);
    const [half, none] = [tf.fill([...shape], 1e-7) as never, tf.zeros([...shape]) as never];
    expect(value(diceLoss(half, none))).toBeCloseTo(1 - 1e-5 / (60 * 1e-7 + 1e-5), 3);
  });

  /** Of each item and class. */
  function dices(p: readonly number[], t: readonly number[]): number[] {
    return [0, 1].flatMap((item) =>
      [0, 1, 2].map((c) => {
        const at = Array.from({ length: voxels / 2 }, (_, v) => (item * (voxels / 2) + v) * classes + c);
        const sum = (of: (i: number) => number) => at.reduce((total, i) => total + of(i), 0);
        return (2 * sum((i) => p[i]! * t[i]!) + 1e-5) / (sum((i) => p[i]! + t[i]!) + 1e-5);
      }),
    );
  }

  it('Dice and cross-entropy of labels', () => {
    const [logits, labels] = [
      noise(voxels * classes, 15),
      Array.from({ length: voxels }, (_, i) => (i * 7) % 3),
    ];
    const logs = rowsOf(logits, classes).map(logSoftmax);
    const oneHot = labels.flatMap((label) => [0, 1, 2].map((c) => Number(c === label)));
    const found = diceCrossEntropyLoss(image(logits), tf.tensor4d(labels, [2, 3, 4, 5], 'int32'));
    const [dice, crossEntropy] = [
      1 - mean(dices(logs.flat().map(Math.exp), oneHot)),
      mean(logs.map((row, v) => -row[labels[v]!]!)),
    ];
    expectTerms(found, { dice, crossEntropy });
    expect(() => diceCrossEntropyLoss(image(logits), tf.zeros([2, 4, 3, 5], 'int32'))).toThrow(
      'Dice + cross-entropy: labels [2,4,3,5] must be [2,3,4,5], as the logits',
    );
  });

  it('Dice and binary cross-entropy of regions', () => {
    const [logits, regions] = [
      noise(voxels * classes, 16),
      noise(voxels * classes, 17).map((x) => Number(x > 0)),
    ];
    const found = diceBinaryCrossEntropyLoss(image(logits), image(regions));
    const dice = 1 - mean(dices(logits.map(sigmoid), regions));
    expectTerms(found, {
      dice,
      binaryCrossEntropy: mean(logits.map((x, i) => -Math.log(regions[i] ? sigmoid(x) : 1 - sigmoid(x)))),
    });
    expect(() => diceBinaryCrossEntropyLoss(image(logits), tf.zeros([2, 3, 4, 5, 2]))).toThrow(
      'Dice + binary cross-entropy: the prediction',
    );
  });

  /** The terms, and their sum as `total`. */
  function expectTerms(found: object, expected: Readonly<Record<string, number>>): void {
    const values = Object.fromEntries(
      Object.entries(found).map(([name, term]: [string, Scalar]) => [name, value(term)]),
    );
    expect(Object.keys(values).sort()).toEqual([...Object.keys(expected), 'total'].sort());
    for (const [name, term] of Object.entries(expected)) expect(values[name]).toBeCloseTo(term, 5);
    expect(values.total).toBeCloseTo(
      Object.values(expected).reduce((a, b) => a + b, 0),
      5,
    );
  }
});

it('what is detached has its value and no gradient', () => {
  const x = tf.tensor1d([1, -2, 3]);
  const { value: found, grad } = tf.valueAndGrad((y) =>
    detached(y, (inside) => inside.square())
      .add(y.mul(3))
      .sum(),
  )(x);
  expect(value(found)).toBe(1 + 4 + 9 + 3 * 2);
  expect(Array.from(grad.dataSync())).toEqual([3, 3, 3]);
});

it('two shapes must be one, and the error says which they are', () => {
  const [two, other] = [tf.zeros([2, 3]), tf.zeros([3, 2])];
  expect(() => sameShape('some loss', two, tf.ones([2, 3]))).not.toThrow();
  expect(() => sameShape('some loss', two, other)).toThrow(
    expect.objectContaining({
      message: 'some loss: the prediction [2,3] and the target [3,2] must have one shape',
      facts: { found: [2, 3], expected: [3, 2] },
    }),
  );
});

it.each([
  ['location loss', () => locationLoss(tf.zeros([2, 3, 8]), tf.zeros([2, 8, 3]))],
  ['contrastive loss', () => contrastiveLoss(tf.zeros([2, 3]), tf.zeros([3, 2]), 0.5)],
  ['Dice loss', () => diceLoss(tf.zeros([1, 2, 2, 2, 2]), tf.zeros([1, 2, 2, 2, 1]))],
  [
    'reconstruction loss',
    () => reconstructionLoss(tf.zeros([1, 2, 2, 2, 2]), tf.zeros([1, 2, 2, 2, 1]), tf.zeros([1, 2, 2, 2, 1])),
  ],
] as const)('the %s refuses two shapes by its name', (name, body) => {
  expect(body).toThrow(ShapeError);
  expect(body).toThrow(new RegExp(`^${name}: the prediction .* must have one shape$`));
});

it.each([
  ['of other voxels', [2, 3, 5, 4, 1]],
  ['of more channels', [2, 3, 4, 5, 3]],
] as const)('the reconstruction loss refuses a mask %s', (_, of) => {
  const body = () => reconstructionLoss(tf.zeros([...shape]), tf.zeros([...shape]), tf.zeros([...of]));
  expect(body).toThrow(`reconstruction loss: the mask [${of}] must be [2,3,4,5,1]`);
});

it('the contrastive loss refuses a batch of 1', () => {
  expect(() => contrastiveLoss(tf.zeros([1, 3]), tf.zeros([1, 3]), 0.5)).toThrow(
    'contrastive loss: a batch of 1 has no negatives; use a batch of 2 or more',
  );
});
