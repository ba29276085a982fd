export type { Affine } from './affine.js';
export {
  affineDeterminant,
  applyAffine,
  axisAlignedAffine,
  composeAffines,
  invertAffine,
  leastSpacing,
  mostSpacing,
  shiftAffine,
  spacingOf,
} from './affine.js';
export {
  type BackgroundFinder,
  type BackgroundRange,
  backgroundFinder,
  backgroundRange,
  backgroundRanges,
  backgroundUpTo,
  lowestOf,
  noBackground,
  zeroBackground,
} from './background.js';
export { cropBox, foregroundBox } from './crop.js';
export { isDicomFile } from './dicom-file.js';
export type { LabelTarget } from './dicom-read.js';
export {
  type ChannelParts,
  ctScaling,
  foregroundMoments,
  type IntensityScaling,
  percentile,
  percentileScaling,
  type ZScore,
  zScoreScaling,
} from './intensity.js';
export type { Interpolation } from './interpolation.js';
export { lowestOfCt, type Modality, modalityOfLowest } from './modality.js';
export type { NiftiHeader } from './nifti-header.js';
export { readVolumeHeader } from './nifti-read.js';
export { niftiBytes, writeNifti } from './nifti-write.js';
export { possibleGrid } from './possible-grid.js';
export {
  bytesHeldWhole,
  headerOddities,
  isLaidIntoImage,
  openLabelSlices,
  openSlices,
  patientIn,
  readLabel,
  readVolume,
} from './read.js';
export type { Orientation } from './reorient.js';
export { closestToRas, reorientToRas } from './reorient.js';
export { linearResampler, resampleToGrid, resampleToSpacing, sliceAt } from './resample.js';
export { isOtherImageFile, isScanFile, scanName } from './scan-file.js';
export { scanParts } from './scan-parts.js';
export type { SlicesOfVolume } from './slab.js';
export { AXES, type Axis, mapAxes, mapSize, type Triple, tripleOf } from './triple.js';
export {
  type TakenAlong,
  takenVoxels,
  type UprightSlice,
  type UprightSlices,
  uprightSlices,
} from './upright-slices.js';
export type { Grid, Volume, VoxelArray } from './volume.js';
export { voxelCount } from './volume.js';
export type { VolumeSlices } from './volume-slices.js';
