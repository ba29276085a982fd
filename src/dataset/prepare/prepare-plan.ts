import { statfs } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { DataError, WorkError } from '../../errors.js';
import { requireMemory } from '../../free-memory.js';
import { mapInLanes } from '../../threads/index.js';
import { bytesHeldWhole, mapAxes, type Triple } from '../../volume/index.js';
import { chunkShape, slabPlanes } from '../cache/chunked-format.js';
import { largestSlabBytes, slabsHeld } from '../cache/spilled-volume.js';
import { classValueType } from './label-values.js';
import { requirePossibleCase } from './possible-case.js';
import type { PrepareCaseTask } from './prepare-case.js';
import { openChannels } from './read-channels.js';

/** What cases take, as their headers say. */
export interface CaseNeeds {
  /** Of the thread that makes it, at its peak. */
  readonly memoryBytes: number;
  /** Of the prepared files at most: before the foreground crop. */
  readonly cacheBytes: number;
  /** On the same disk while it is made. */
  readonly waitingBytes: number;
}

/** What there is. */
export interface MachineLimits {
  readonly cores: number;
  readonly memoryBytes: number;
  readonly diskBytes: number;
}

/** What is to be made, and what it takes of what there is. */
export interface PreparePlan {
  /** Cases that are to be made. */
  readonly cases: number;
  readonly workers: number;
  /** Of one thread at its peak, and what was free. */
  readonly workerBytes: number;
  readonly memoryBytes: number;
  /** Of the files that are to be written, at most, and what is free on their disk. */
  readonly cacheBytes: number;
  readonly diskBytes: number;
}

/**
 * Reads the headers of the cases and decides how many threads make them.
 * @param workers absent: as many as cores and free memory allow
 * @throws WorkError when the disk is too small
 */
export async function planPreparation(
  tasks: readonly PrepareCaseTask[],
  out: string,
  workers?: number,
): Promise<PreparePlan> {
  const needs = await mapInLanes(tasks, headersAtOnce, needsOf);
  const { bavail, bsize } = await statfs(out);
  return planFor(
    needs,
    { cores: availableParallelism(), memoryBytes: process.availableMemory(), diskBytes: bavail * bsize },
    out,
    workers,
  );
}

/** The same for what is known of cases and machine. Throws WorkError when the disk is too small. */
export function planFor(
  needs: readonly CaseNeeds[],
  machine: MachineLimits,
  out: string,
  workers?: number,
): PreparePlan {
  const largest = (of: (case_: CaseNeeds) => number) =>
    needs.reduce((most, case_) => Math.max(most, of(case_)), 0);
  const workerBytes = largest(({ memoryBytes }) => memoryBytes);
  const fitting = Math.floor((usableShare * machine.memoryBytes) / workerBytes);
  const chosen = Math.max(1, Math.min(workers ?? Math.min(machine.cores, fitting), needs.length));
  const cacheBytes = needs.reduce((sum, case_) => sum + case_.cacheBytes, 0);
  const neededBytes = cacheBytes + chosen * largest(({ waitingBytes }) => waitingBytes);
  if (neededBytes > machine.diskBytes) {
    throw new WorkError(
      `preparing ${needs.length} cases takes up to ${gibibytes(neededBytes)} on the disk of ${out}, ` +
        `but ${gibibytes(machine.diskBytes)} is free: ` +
        'free space, choose another --out or a coarser "spacing"',
      { file: out, found: machine.diskBytes, expected: neededBytes },
    );
  }
  return {
    cases: needs.length,
    workers: chosen,
    workerBytes,
    memoryBytes: machine.memoryBytes,
    cacheBytes,
    diskBytes: machine.diskBytes,
  };
}

/**
 * "12 cases to make, at most 3.1 GiB of 57.0 GiB free; 2 threads, each up to 200 MiB of 11.0 GiB free memory"
 */
export function describePlan({
  cases,
  workers,
  workerBytes,
  memoryBytes,
  cacheBytes,
  diskBytes,
}: PreparePlan): string {
  const disk = `${cases} ${cases === 1 ? 'case' : 'cases'} to make, at most ${gibibytes(cacheBytes)} of ${gibibytes(diskBytes)} free disk`;
  const threads = `${workers} ${workers === 1 ? 'thread' : 'threads'}, each up to ${gibibytes(workerBytes)} of ${gibibytes(memoryBytes)} free memory`;
  return `${disk}; ${threads}`;
}

function gibibytes(bytes: number): string {
  return bytes < 2 ** 30 ? `${Math.ceil(bytes / 2 ** 20)} MiB` : `${(bytes / 2 ** 30).toFixed(1)} GiB`;
}

/**
 * A data set on a server answers each read late, but many at once; a compressed header takes two MiB to read.
 */
const headersAtOnce = 16;

/** Of free memory: other programs want some as well. */
const usableShare = 0.8;

/** A thread, its code and the buffers of its streams: measured, rounded up. */
const threadBytes = 128 * 2 ** 20;

/**
 * Of a scan that is not NIfTI: ITK's copy, ours, and the resampled volume; and float32 of what are
 * mostly 16-bit values. Such a scan tells its grid only when it is read, so that this is an estimate.
 */
const wholeCopies = 4;
const wholeGrowth = 2;

/** A case that cannot be read, or is too large, needs nothing: it will be skipped with the reason. */
async function needsOf({ source, preprocessing, classes, ignore }: PrepareCaseTask): Promise<CaseNeeds> {
  const nothing = { memoryBytes: threadBytes, cacheBytes: 0, waitingBytes: 0 };
  const scanName = source.images.join(', ');
  if (source.problem !== undefined) return nothing;
  try {
    const whole = (await Promise.all(source.images.map(bytesHeldWhole))).reduce<number>(
      (sum, bytes) => sum + (bytes ?? 0),
      0,
    );
    requireMemory(whole, scanName, 'reading it whole');
    if (whole > 0)
      return {
        memoryBytes: threadBytes + wholeCopies * whole,
        cacheBytes: wholeGrowth * whole,
        waitingBytes: wholeGrowth * whole,
      };
    const scan = await openChannels(source.images, preprocessing.notFinite);
    const { channels } = scan;
    const grid = requirePossibleCase(scan, channels, preprocessing, scanName);
    const labelBytes = source.label === undefined ? 0 : classValueType(classes, ignore) === 'uint8' ? 1 : 2;
    const voxelBytes = 4 * channels + labelBytes;
    return {
      memoryBytes: threadBytes + slabsHeld * largestSlabBytes(grid.size, channels),
      cacheBytes: voxelBytes * paddedVoxels(grid.size, chunkShape),
      waitingBytes: voxelBytes * paddedVoxels(grid.size, [slabPlanes, slabPlanes, slabPlanes]),
    };
  } catch (error) {
    if (error instanceof DataError) return nothing;
    throw error;
  }
}

/** Voxels of the boxes that a volume fills, at its far edges in part. */
function paddedVoxels(size: Triple, box: Triple): number {
  const [x, y, z] = mapAxes(size, (n, axis) => Math.ceil(n / box[axis]) * box[axis]);
  return x * y * z;
}
