import type { Tensor5D } from '../engine/index.js';
import { type ParameterSpec, type Parameters, parameter } from '../network/index.js';
import { pretextPrefix } from './method.js';

const TOKEN = `${pretextPrefix}mask_token`;

/** The learned value of a masked voxel, one a channel; 0 before anything is learned. */
export function maskToken(channels: number): ParameterSpec {
  return { name: TOKEN, layout: 'vector', shape: [channels], init: { constant: 0 } };
}

/** The learned value as one voxel: [1, 1, 1, 1, C]. */
export const tokenVoxel = (parameters: Parameters): Tensor5D =>
  parameter(parameters, TOKEN, 1).reshape([1, 1, 1, 1, -1]);
