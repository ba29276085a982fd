/** A task of the paper's tables, as its configuration in `configs/tasks` is called. */
export type PaperTask = 'btcv' | 'msd-liver' | 'msd-spleen' | 'brats';

/**
 * The classes of the tables, and what else they are called: by the `dataset.json` of the collection itself
 * (the Decathlon has "cancer"), by those that MONAI's and nnU-Net's users write for BTCV, and by the paper's
 * own titles.
 */
const namesOf: Readonly<Record<PaperTask, Readonly<Record<string, readonly string[]>>>> = {
  btcv: {
    spleen: ['spl'],
    'right kidney': ['rkid', 'r kidney', 'kidney r'],
    'left kidney': ['lkid', 'l kidney', 'kidney l'],
    gallbladder: ['gall', 'gall bladder'],
    oesophagus: ['eso', 'esophagus'],
    liver: ['liv'],
    stomach: ['sto', 'stom'],
    aorta: ['aor'],
    'inferior vena cava': ['ivc', 'postcava', 'vena cava inferior'],
    'portal and splenic veins': [
      'psv',
      'veins',
      'portal and splenic vein',
      'portal vein and splenic vein',
      'portal splenic vein',
    ],
    pancreas: ['pan', 'panc'],
    'right adrenal gland': ['rag', 'rad', 'right adrenal'],
    'left adrenal gland': ['lag', 'lad', 'left adrenal'],
  },
  'msd-liver': { liver: [], tumour: ['cancer', 'tumor', 'liver cancer', 'liver tumor', 'liver tumour'] },
  'msd-spleen': { spleen: [] },
  brats: {
    WT: ['whole tumour', 'whole tumor'],
    TC: ['tumour core', 'tumor core'],
    ET: ['enhancing tumour', 'enhancing tumor'],
  },
};

/** By task, the class of each name that it may have. */
const classOf = new Map(
  Object.entries(namesOf).map(([task, classes]) => {
    const pairs = Object.entries(classes).flatMap(([own, others]) =>
      [own, ...others].map((name) => [comparable(name), own] as const),
    );
    return [task as PaperTask, new Map(pairs)] as const;
  }),
);

/** Upper or lower case, `_` or a blank, and "kidney right" or "right kidney" are alike. */
function comparable(name: string): string {
  const words = name.toLowerCase().match(/[a-z0-9]+/g) ?? [];
  return words.sort().join(' ');
}

/** Classes of an evaluation as a task of the paper. */
export interface TaskClasses {
  readonly task: PaperTask;
  /** What the evaluation calls a class of the task. */
  readonly nameOf: ReadonlyMap<string, string>;
}

/**
 * Which of the paper's tasks has exactly these classes, whatever a dataset calls them, in any order;
 * undefined where none has.
 */
export function taskClasses(classes: readonly string[]): TaskClasses | undefined {
  for (const [task, known] of classOf) {
    const pairs = classes.flatMap((name) => {
      const own = known.get(comparable(name));
      return own === undefined ? [] : [[own, name] as const];
    });
    const nameOf = new Map(pairs);
    if (nameOf.size === classes.length && nameOf.size === Object.keys(namesOf[task]).length)
      return { task, nameOf };
  }
  return undefined;
}
