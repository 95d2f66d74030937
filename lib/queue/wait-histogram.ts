import {
  arrays,
  bucketsPerPower,
  checkedAnswer,
  isMaker,
  type Maker,
  Memory,
  maker,
  type NativeQueue,
  waitsStaging,
} from '../binding/index.js';
import { constructorError, optionError } from '../input/index.js';

/**
 * How long records waited in a queue until a moment, or between two: a histogram with 32 buckets for each power of two
 * nanoseconds, the one that a queue with the option `latency` keeps anyway.
 */
export class WaitHistogram {
  /** How many waits were measured. */
  readonly count: number;
  /** The sum of the waits, in nanoseconds. */
  readonly sumNs: number;
  readonly #buckets: Float64Array;

  /** @internal */
  constructor(by: Maker, sumNs: number, buckets: Float64Array) {
    if (!isMaker(by)) throw constructorError('WaitHistogram', 'queue.waits()');
    let count = 0;
    for (let i = 0; i < buckets.length; i++) count += buckets[i] as number;
    this.count = count;
    this.sumNs = sumNs;
    this.#buckets = buckets;
  }

  /**
   * Returns how many waits were shorter than `ns`: exactly if `ns` is a power of two, otherwise without those in the
   * bucket that `ns` falls into.
   *
   * @param ns Nanoseconds.
   * @returns The number of waits.
   * @throws TypeError (`ERR_SLUICE_OPTION`) if `ns` is no number.
   * @example
   * const share = waits.below(2 ** 20) / waits.count; // that waited for less than a millisecond or so
   */
  below(ns: number): number {
    if (typeof ns !== 'number' || Number.isNaN(ns)) {
      throw optionError('WaitHistogram.below: ns', 'a number', ns, true);
    }
    let count = 0;
    const end = Math.min(bucketOf(ns), this.#buckets.length);
    for (let i = 0; i < end; i++) count += this.#buckets[i] as number;
    return count;
  }

  /**
   * Returns the wait that a share of the records did not exceed, within 1.6 %.
   *
   * @param share 0 to 1; 0.99 is the 99th percentile.
   * @returns Nanoseconds; 0 if no wait was measured.
   * @throws TypeError, RangeError (`ERR_SLUICE_OPTION`).
   * @example
   * const p99Ms = waits.quantile(0.99) / 1e6;
   */
  quantile(share: number): number {
    if (typeof share !== 'number' || !(share >= 0 && share <= 1)) {
      throw optionError(
        'WaitHistogram.quantile: share',
        'a number from 0 to 1',
        share,
        typeof share !== 'number',
      );
    }
    const rank = Math.floor(share * (this.count - 1));
    let seen = 0;
    for (let i = 0; i < this.#buckets.length; i++) {
      seen += this.#buckets[i] as number;
      if (seen > rank && seen > 0) return middleOf(i);
    }
    return 0;
  }

  /**
   * Returns the waits between two moments.
   *
   * @param earlier What `waits()` of the same queue returned earlier.
   * @returns The waits that were measured since.
   * @throws TypeError (`ERR_SLUICE_OPTION`).
   * @example
   * const p99Ns = queue.waits()?.since(before).quantile(0.99);
   */
  since(earlier: WaitHistogram): WaitHistogram {
    if (typeof earlier !== 'object' || earlier === null || !(#buckets in earlier)) {
      throw optionError('WaitHistogram.since: earlier', 'what queue.waits() has returned', earlier, true);
    }
    const buckets = new arrays.Float64Array(this.#buckets.length);
    for (let i = 0; i < buckets.length; i++) {
      // Not below 0, if `earlier` is of another queue.
      buckets[i] = Math.max(0, (this.#buckets[i] as number) - (earlier.#buckets[i] as number));
    }
    return new WaitHistogram(maker, Math.max(0, this.sumNs - earlier.sumNs), buckets);
  }
}

/** Returns the bucket that holds a wait of `ns` nanoseconds: see Histogram::index_of(). */
function bucketOf(ns: number): number {
  const whole = Math.floor(ns);
  if (whole < bucketsPerPower) return Math.max(0, whole);
  let shift = 0;
  while (whole / 2 ** shift >= 2 * bucketsPerPower && shift < 64) shift++;
  return shift * bucketsPerPower + Math.floor(whole / 2 ** shift);
}

/** Returns the shortest wait of a bucket, in nanoseconds. */
function startOf(bucket: number): number {
  if (bucket < bucketsPerPower) return bucket;
  const shift = Math.floor(bucket / bucketsPerPower) - 1;
  return (bucketsPerPower + (bucket % bucketsPerPower)) * 2 ** shift;
}

function middleOf(bucket: number): number {
  const width = startOf(bucket + 1) - startOf(bucket);
  return startOf(bucket) + (width > 1 ? width / 2 : 0);
}

/** See `Queue.waits`. */
export function waitsOf(what: string, native: NativeQueue): WaitHistogram | undefined {
  const memory = new Memory(waitsStaging.bytes);
  checkedAnswer(what, native.waits(memory));
  if (!native.latency) return undefined;
  const all = new arrays.Float64Array(memory);
  const buckets = new arrays.Float64Array(memory, waitsStaging.buckets);
  return new WaitHistogram(maker, all[waitsStaging.sum / 8] as number, buckets);
}
