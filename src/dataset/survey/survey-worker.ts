/** Worker thread of `surveyScans`: one scan a task, some slices in memory. */
export { surveyOrProblem as default } from './survey-case.js';
