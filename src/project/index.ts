export type { Limits, TakenStep, TakeStep } from './choose-step.js';
export { type Fingerprint, fingerprintSchema } from './fingerprint.js';
export { fingerprintText } from './fingerprint-text.js';
export { type PlanOptions, planFiles } from './plan-options.js';
export { type ProjectPlan, planProject } from './plan-project.js';
export { type Expected, expectedOf } from './plan-reasons.js';
export { type ProjectResult, type RunProjectOptions, runProject } from './run-project.js';
export { writePlan } from './write-plan.js';
