import { itemAt } from '../../at.js';

/**
 * A class has one colour in curves, outlines and the viewer. Each has a contrast of at least 3 to 1 with white and 4 to 1
 * with black (WCAG 2.2, 1.4.11), since curves stand on white and outlines on dark images.
 */
const classColours = [
  ...['#e8413a', '#2f86e0', '#c97a00', '#2b9a3e', '#a855d8', '#0e93a0', '#e0499a'],
  ...['#7f8c1a', '#a8693c', '#6a75e6', '#d9622b', '#3f9b83', '#b0506e', '#5c9a2f'],
];

/** The colour of a class by its place in the order of classes; they begin again after the last. */
export const classColour = (i: number): string => itemAt(classColours, i % classColours.length);
