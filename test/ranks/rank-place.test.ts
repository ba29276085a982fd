import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ownDevice, rankPlaceOf } from '../../src/ranks/index.js';

const address = { MASTER_ADDR: '10.0.0.1' };
const torchrun = { RANK: '1', WORLD_SIZE: '4', ...address };

describe('the place of a rank', () => {
  it('is read from the variables of torchrun, Slurm and Kubernetes', () => {
    const common = { host: '10.0.0.1', port: 29500, token: '', patience: 120, localRanks: 1 };
    expect(rankPlaceOf({ ...torchrun, LOCAL_RANK: '1', LOCAL_WORLD_SIZE: '2' })).toEqual({
      ...common,
      rank: 1,
      ranks: 4,
      localRank: 1,
      localRanks: 2,
    });
    const slurm = {
      SLURM_PROCID: '5',
      SLURM_NTASKS: '8',
      SLURM_LOCALID: '1',
      MASTER_PORT: '4000',
      ...address,
    };
    expect(rankPlaceOf(slurm)).toMatchObject({ rank: 5, ranks: 8, localRank: 1, port: 4000 });
    expect(rankPlaceOf({ ...slurm, HYBRIDMIM_PORT: '4100' })).toMatchObject({ ownPort: 4101 });
    const kubernetes = { JOB_COMPLETION_INDEX: '2', WORLD_SIZE: '3', HYBRIDMIM_TOKEN: 'secret', ...address };
    expect(rankPlaceOf(kubernetes)).toMatchObject({
      rank: 2,
      ranks: 3,
      token: 'secret',
      localRank: undefined,
    });
  });

  it('is none for a process alone, in a shell of an allocation too', () => {
    for (const alone of [
      {},
      { WORLD_SIZE: '4' },
      { RANK: '0', WORLD_SIZE: '1' },
      { SLURM_PROCID: '0', SLURM_NTASKS: '4' },
      { JOB_COMPLETION_INDEX: '3' },
    ])
      expect(rankPlaceOf(alone), JSON.stringify(alone)).toBeUndefined();
  });

  it.each([
    [{ RANK: '0' }, 'RANK is set, but WORLD_SIZE is not: set both, or neither for a process alone'],
    [{ RANK: '1', WORLD_SIZE: '2' }, /MASTER_ADDR is not set: set it to the address of rank 0/],
    [{ ...torchrun, RANK: '4' }, 'RANK is 4, but WORLD_SIZE is 4: ranks go from 0 to 3'],
    [{ ...torchrun, RANK: '-1' }, /RANK is "-1", but must be a whole number/],
    [{ ...torchrun, WORLD_SIZE: '0' }, /WORLD_SIZE is "0", but must be a whole number of at least 1/],
    [{ ...torchrun, MASTER_PORT: '70000' }, /MASTER_PORT is "70000", but must be a port from 1 to 65535/],
    [{ ...torchrun, MASTER_PORT: 'http' }, /MASTER_PORT is "http"/],
    [{ ...torchrun, LOCAL_RANK: 'x' }, /LOCAL_RANK is "x", but must be a whole number/],
    [{ ...torchrun, HYBRIDMIM_PATIENCE: '0' }, /HYBRIDMIM_PATIENCE is "0"/],
    [{ ...torchrun, HYBRIDMIM_PORT: '0' }, /HYBRIDMIM_PORT is "0", but must be a port/],
    [
      { ...torchrun, HYBRIDMIM_ADDRESS: '10.0.0.7' },
      /HYBRIDMIM_ADDRESS is "10.0.0.7", but must be host:port/,
    ],
    [
      { SLURM_PROCID: '9', SLURM_NTASKS: '8', ...address },
      'SLURM_PROCID is 9, but SLURM_NTASKS is 8: ranks go from 0 to 7',
    ],
  ])('is refused where the variables are no place: %j', (environment, sentence) => {
    expect(() => rankPlaceOf(environment)).toThrow(
      expect.objectContaining({ exitCode: 2, message: expect.anything() }),
    );
    expect(() => rankPlaceOf(environment)).toThrow(sentence);
  });

  it('never is one beyond the others, whatever the variables say', () => {
    const value = fc.oneof(fc.constantFrom('0', '1', '3', '007', '', ' 1', '1e3', '0x1'), fc.string());
    fc.assert(
      fc.property(fc.record({ RANK: value, WORLD_SIZE: value, MASTER_ADDR: value }), (environment) => {
        try {
          const place = rankPlaceOf(environment);
          if (place) expect(place.rank).toBeLessThan(place.ranks);
        } catch (error) {
          expect(error).toMatchObject({ exitCode: 2 });
        }
      }),
    );
  });
});

describe('the GPU of a rank', () => {
  it.each([
    [undefined, undefined, undefined], // nobody says which of its machine's ranks it is
    [undefined, '0,1', undefined],
    [1, undefined, '1'],
    [1, '4,5,6', '5'],
    [3, '4,5', '5'],
    [1, '7', undefined], // it was given one already, as by Slurm
    [0, '', undefined], // and here none
  ])('is, for place %s of its machine and CUDA_VISIBLE_DEVICES %s, %s', (localRank, visible, expected) => {
    expect(ownDevice({ localRank }, visible)).toBe(expected);
  });
});
