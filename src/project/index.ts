export type { Limits, TakenStep, TakeStep } from './choose-step.js';
export { type Fingerprint, fingerprintSchema } from './fingerprint.js';
export { type PlanOptions, type ProjectPlan, planFiles, planProject } from './plan-project.js';
export { type ProjectResult, type RunProjectOptions, runProject } from './run-project.js';
export { type Expected, expectedOf, fingerprintText, writePlan } from './write-plan.js';
