import { expect, it } from 'vitest';
import {
  adamUpdate,
  compile,
  momentRate,
  type Scalar,
  type Tensor,
  type Variable,
} from '../../../src/engine/index.js';
import { type Engine, engines, normals, stateIn } from '../computed.js';

const shape = [3, 5];
const p = normals(shape, 1);
const m = normals(shape, 2);
const v = { shape, data: normals(shape, 3).data.map(Math.abs) };
const g = normals(shape, 4);

async function updated(engine: Engine, times: number) {
  const state = stateIn(engine, { p, m, v });
  const step = compile(
    ({ gradient, stepSize, epsilon }, variables) => {
      const of = (name: string) => variables[name] as Variable;
      const settings = { beta1: 0.9, beta2: 0.999, stepSize: stepSize as Scalar, epsilon: epsilon as Scalar };
      const before = of('p').clone(); // the variable as it was read, not a result that was computed from it in time
      adamUpdate({ parameter: of('p'), first: of('m'), second: of('v') }, gradient as Tensor, settings);
      return { before };
    },
    {
      name: 'update',
      inputs: {
        gradient: { shape, dtype: 'float32' },
        stepSize: { shape: [], dtype: 'float32' },
        epsilon: { shape: [], dtype: 'float32' },
      },
      state,
      precision: 'float32',
    },
  );
  let before: unknown;
  for (let i = 0; i < times; i++)
    ({ before } = await step.run({
      gradient: g.data,
      stepSize: Float32Array.of(0.01),
      epsilon: Float32Array.of(1e-3),
    }));
  const values = await state.read();
  state.dispose();
  return {
    before,
    ...Object.fromEntries(Object.entries(values).map(([name, { data }]) => [name, data])),
  } as Record<string, Float32Array>;
}

it.each(engines)('moves a parameter and its moments as the formula says, %s', async (engine) => {
  const { before, ...after } = await updated(engine, 1);
  expect(before).toEqual(p.data); // a value that the step gives out is the one from before its update
  const [rate1, rate2] = [momentRate(0.9), momentRate(0.999)];
  for (let i = 0; i < 15; i++) {
    const first = m.data[i]! + rate1 * (g.data[i]! - m.data[i]!);
    const second = v.data[i]! + rate2 * (g.data[i]! ** 2 - v.data[i]!);
    expect(after.m![i]).toBeCloseTo(first, 6);
    expect(after.v![i]).toBeCloseTo(second, 6);
    expect(after.p![i]).toBeCloseTo(p.data[i]! - (0.01 * first) / (Math.sqrt(second) + 1e-3), 6);
  }
});

it('gives the same after several updates in a graph, where it changes memory in place, as one op after the other', async () => {
  const [graph, eager] = [await updated('graph', 5), await updated('eager', 5)];
  for (const name of ['p', 'm', 'v', 'before'])
    for (let i = 0; i < 15; i++) expect(graph[name]![i]).toBeCloseTo(eager[name]![i]!, 5);
});
