import { stepScope } from './step-scope.js';

/**
 * What a step is for. `training` keeps memory low and can be differentiated. `inference` takes more memory
 * for less time, and ops that have no gradient: these refuse to be differentiated.
 */
export type StepMode = 'training' | 'inference';

/** That of the step which is being traced; undefined outside any. */
export const stepMode = stepScope<StepMode>();

export const isInference = (): boolean => stepMode.current() === 'inference';
