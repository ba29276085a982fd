/** Shares of the hours: the rest is for preparing, validating, evaluating and what goes slower than measured. */
export const timeShares = { pretrain: 0.45, finetune: 0.35 };

/** The paper's length of pre-training (4.3). */
const mostPretraining = 100_000;
/** The paper's epochs of fine-tuning (4.3). */
const mostEpochs = 2000;
/** nnU-Net's length: 1000 epochs of 250 steps. */
const mostFinetuning = 250_000;

/** Fewer steps teach little: a narrower network that takes more of them is better. */
export const fewestSteps = { pretrain: 2000, finetune: 1000 };

export interface Length {
  readonly steps: number;
  readonly seconds: number;
  readonly reason: string;
}

/** Steps of pre-training for the time that there is. */
export function pretrainLength(stepSeconds: number, budgetSeconds: number): Length {
  const affordable = Math.floor(budgetSeconds / stepSeconds);
  const steps = rounded(Math.max(1, Math.min(affordable, mostPretraining)));
  const reason =
    steps < mostPretraining
      ? `${clock(budgetSeconds)} at ${stepSeconds.toPrecision(3)} s a step`
      : 'the paper’s length (4.3)';
  return { steps, seconds: steps * stepSeconds, reason };
}

/** Steps of fine-tuning for the time that there is, and for the labelled scans that it sees again and again. */
export function finetuneLength(
  stepSeconds: number,
  budgetSeconds: number,
  cases: number,
  batchSize: number,
): Length {
  const affordable = Math.floor(budgetSeconds / stepSeconds);
  const ofEpochs = Math.ceil((mostEpochs * cases) / batchSize);
  const steps = rounded(Math.max(1, Math.min(affordable, ofEpochs, mostFinetuning)));
  const reason =
    affordable <= Math.min(ofEpochs, mostFinetuning)
      ? `${clock(budgetSeconds)} at ${stepSeconds.toPrecision(3)} s a step`
      : ofEpochs <= mostFinetuning
        ? `the paper’s ${mostEpochs} epochs (4.3) of ${cases} labelled training scans`
        : 'as many as nnU-Net takes';
  return { steps, seconds: steps * stepSeconds, reason };
}

/** Two digits that count: nobody measured more. */
const rounded = (steps: number): number => {
  const unit = 10 ** Math.max(0, Math.floor(Math.log10(steps)) - 1);
  return Math.floor(steps / unit) * unit;
};

const clock = (seconds: number): string =>
  seconds < 5400 ? `${(seconds / 60).toPrecision(2)} min` : `${(seconds / 3600).toPrecision(3)} h`;

/**
 * The learning rate by the length of a run. The paper's 1e-4 is for its 100,000 steps; short runs are far from
 * done with it (docs/results.md: 3e-3 was best for 150 steps, 1e-3 is good for 1,000).
 */
export function learningRateFor(steps: number): { readonly rate: number; readonly reason: string } {
  if (steps <= 1000)
    return { rate: 3e-3, reason: 'best of 1e-3, 3e-3 and 1e-2 for short runs (docs/results.md)' };
  if (steps <= 20_000) return { rate: 1e-3, reason: 'for runs of some thousand steps (docs/results.md)' };
  return { rate: 1e-4, reason: 'the paper’s, for long runs (4.3)' };
}

/** Warm-up: a twentieth of the run, as the paper's 50 of some 1,000 epochs. */
export const warmUpFor = (steps: number): number => Math.max(1, Math.round(steps / 20));
