import { countsAsClass, type LabelMap } from '../dataset/index.js';
import { isLaidIntoImage, type LabelTarget, openLabelSlices } from '../volume/index.js';

/** The files of one case. */
export interface PairOfFiles {
  readonly prediction: string;
  readonly reference: string;
}

/**
 * What the files of a case are laid onto. A segmentation in DICOM or of 3D Slicer, or contours, need not hold the whole
 * grid of their image, so that the other file of the case stands for it. Where both are such, each has its own grid.
 * @throws DataError when a header cannot be read
 */
export async function labelTargets(
  { prediction, reference }: PairOfFiles,
  labelMap: LabelMap | undefined,
): Promise<{ readonly prediction: LabelTarget; readonly reference: LabelTarget }> {
  const laid = { prediction: await isLaidIntoImage(prediction), reference: await isLaidIntoImage(reference) };
  const needed = countsAsClass(labelMap);
  const onto = async (mine: boolean, other: string, others: boolean): Promise<LabelTarget> => {
    if (!mine || others) return { needed };
    const { size, spacing, affine } = await openLabelSlices(other);
    return { needed, grid: { size, spacing, affine } };
  };
  return {
    prediction: await onto(laid.prediction, reference, laid.reference),
    reference: await onto(laid.reference, prediction, laid.prediction),
  };
}
