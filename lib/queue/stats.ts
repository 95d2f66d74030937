import {
  bytesOf,
  checkedAnswer,
  figuresOf,
  type NativeQueue,
  queueFigures,
  queueStaging,
  waitFigures,
} from '../binding/index.js';

/** How long records waited between push and removal, in nanoseconds; quantiles are within 1.6 %. */
export interface WaitStats {
  /** How many records were measured. */
  readonly count: number;
  /** The mean wait, in nanoseconds. */
  readonly mean: number;
  /** The wait that half of the records did not exceed, in nanoseconds. */
  readonly p50: number;
  /** As `p50`, for 90 % of the records. */
  readonly p90: number;
  /** As `p50`, for 99 % of the records. */
  readonly p99: number;
  /** As `p50`, for 99.9 % of the records. */
  readonly p999: number;
  /** The longest wait, in nanoseconds. */
  readonly max: number;
}

/**
 * Counters since creation, over all threads. While no thread pushes or consumes, `pushed = popped + expired + dropped +
 * depth`.
 */
export interface QueueStats {
  /** Records in the queue now. */
  readonly depth: number;
  /** The largest depth so far. */
  readonly highWater: number;
  /** Records pushed since creation, over all threads. */
  readonly pushed: number;
  /** Records consumed. */
  readonly popped: number;
  /** Records refused at once because the queue was full; not those that waited for room in vain. */
  readonly rejected: number;
  /** Records whose time ran out before they were consumed. */
  readonly expired: number;
  /** Records dropped by 'drop-oldest', 'overwrite' and shedding. */
  readonly dropped: number;
  /** Those of `dropped` that were shed because the queue was congested. */
  readonly shed: number;
  /** Callers that wait for room now. */
  readonly waiting: number;
  /** Waits refused because `maxWaiting` callers waited already. */
  readonly waitersRefused: number;
  /** Room for records that was reserved ahead and is not used yet. */
  readonly permits: number;
  /** How often a sleeping consumer was woken. */
  readonly wakeups: number;
  /** How long records waited: measured only with the option `latency`. */
  readonly waitNs: WaitStats;
  /**
   * How this object pushes: 'wasm' through WebAssembly, which is about three times as fast, or 'native' through
   * Node-API. It is 'native' if the queue has `ttlMs`, `latency`, `shed` or `trace`, does not fit into the memory of
   * 1 GiB that WebAssembly shares, or was created in a process or on a system without such memory (`node --jitless`,
   * systems other than Linux).
   */
  readonly path: 'wasm' | 'native';
}

/** See `Queue.stats`. */
export function statsOf(
  what: string,
  native: NativeQueue,
  staging: Float64Array,
  isWasm: boolean,
): QueueStats {
  checkedAnswer(what, native.stats());
  const at = queueStaging.figures;
  return {
    ...figuresOf(queueFigures, staging, at),
    waitNs: figuresOf(waitFigures, staging, at + bytesOf(queueFigures)),
    path: isWasm ? 'wasm' : 'native',
  };
}
