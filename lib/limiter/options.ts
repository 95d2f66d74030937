import { limiterLimits, type NativeHandle, type NativeLimiter } from '../binding/index.js';
import { type ManualClock, nativeClock } from '../clock/index.js';
import { adviceError, Options, optionError } from '../input/index.js';
import { insideQueue, Queue } from '../queue/index.js';
import { type WindowChanges, type WindowOption, windowChanges, windowOptions } from './windows.js';

/** The options of `Limiter.create`. At least one of `tokenBucket`, `slidingWindow` and `queueDepth` is needed. */
export interface LimiterOptions {
  /**
   * `ratePerSecond` (1 / 31,622,400, one in 366 days, to 10,000,000) tokens come back each second, up to `burst` (1 to
   * 2^32 - 1). With `warmUpMs` (up to 86,400,000; default 0) the rate climbs evenly from a third of `ratePerSecond` to
   * all of it over that time after creation; the burst is there from the start.
   */
  readonly tokenBucket?:
    | {
        /** Tokens that come back each second: 1 / 31,622,400 to 10,000,000. */
        readonly ratePerSecond: number;
        /** The most tokens that there can be: 1 to 2^32 - 1. */
        readonly burst: number;
        /** How long the rate climbs after creation, in milliseconds: 0 to 86,400,000. Default: 0. */
        readonly warmUpMs?: number | undefined;
      }
    | undefined;
  /**
   * At most `limit` requests (1 to 1,073,741,823) in any window of `windowMs` (1 to 31,622,400,000: 366 days), wherever
   * it begins. Requests are counted in `buckets` (1 to 1,000; default 20): a request is remembered for up to
   * 1/`buckets` of `windowMs` longer than the window, so steady throughput is about 1/`buckets` below the limit.
   * Memory: 8 bytes times `buckets` + 1, for each key.
   *
   * With `exact` a request counts for exactly the length of the window: its time is kept in a log, at 8 bytes times
   * `limit` (then at most 1,000,000), for each key. Such a window has no `buckets`.
   *
   * With `every` it is a calendar window: at most `limit` in each 'day', 'week' (from Monday), 'month' or 'year' of
   * `timeZone` (of the IANA database; default 'UTC'), by the wall clock; a ManualClock's milliseconds count from 1970.
   * It takes 8 bytes for each key. See "Calendar windows" in docs/guide/limiter.md.
   *
   * A list of 1 to 4 windows (10 a second and 100 a minute, say): a request must fit in all of them, and is charged to
   * all or none.
   */
  readonly slidingWindow?: WindowOption | readonly WindowOption[] | undefined;
  /**
   * At most `max` requests (1 to 2^32 - 1) may be in flight, each until its `release()`. With `queue`, the limiter
   * compares that queue's depth with `max` at the time of the decision instead, and nothing needs to be released.
   */
  readonly queueDepth?:
    | {
        /** The most requests in flight, or the most records in the queue: 1 to 2^32 - 1. */
        readonly max: number;
        /** The queue whose depth counts. Default: none; the requests in flight count. */
        readonly queue?: Queue<never> | Queue<unknown> | undefined;
      }
    | undefined;
  /**
   * Refuses every new request while the service is overloaded, as shown by one or both of these signs over `intervalMs`
   * (10 to 60,000; default 500):
   *
   * - a thread's event loop is late, on average by more than `maxEventLoopDelayMs` (1 to 60,000). Each thread measures
   *   and refuses for itself, until an interval is better;
   * - `queue` is congested: throughout the interval it had a record that had waited longer than `maxQueueWaitMs` (0.001
   *   to 3,600,000), whether its consumer is slow or gone. Decisions measure this, for all threads. Once the last such
   *   record has left, the tier refuses for at most a quarter of `intervalMs` or of `maxQueueWaitMs`, whichever is
   *   shorter. Each lane is measured, and the one with the longest wait counts.
   *
   * Calls of `acquire()` that wait already are let through as the other tiers allow.
   */
  readonly adaptive?:
    | {
        /** How late an event loop may be on average, in milliseconds: 1 to 60,000. Default: not measured. */
        readonly maxEventLoopDelayMs?: number | undefined;
        /** The queue whose waits are measured; it needs `maxQueueWaitMs`. Default: none. */
        readonly queue?: Queue<never> | Queue<unknown> | undefined;
        /** How long records of `queue` may wait, in milliseconds: 0.001 to 3,600,000. */
        readonly maxQueueWaitMs?: number | undefined;
        /** Over how long both are measured, in milliseconds: 10 to 60,000. Default: 500. */
        readonly intervalMs?: number | undefined;
      }
    | undefined;
  /**
   * One limit for each key instead of one for all. The limiter remembers `max` (1 to 10,000,000) keys that owe
   * something at the same time. A key is forgotten when that changes nothing for it (its token bucket is full, its
   * windows are empty, nothing is in flight). Keys for which there is no place, because too many owe something, are
   * guests: each has a limit of its own, too, but is forgotten after half of `max` (at least 64) newer guests. See
   * "Keys" in docs/guide/limiter.md.
   *
   * `maxWaitingPerKey`: how many calls of `acquire()` may wait for one key at the same time, over all threads: 1 to
   * 65,536. It keeps one key from taking all places of `maxWaiting`. Default: a sixteenth of `maxWaiting`, at least 16.
   */
  readonly keys?:
    | {
        /** How many keys that owe something are remembered: 1 to 10,000,000. */
        readonly max: number;
        /** How many calls of `acquire()` may wait for one key: 1 to 65,536. Default: `maxWaiting` / 16, at least 16. */
        readonly maxWaitingPerKey?: number | undefined;
      }
    | undefined;
  /**
   * How many calls of `acquire()` may wait at the same time, over all threads and keys: 0 to 65,536. Default: 1,024.
   */
  readonly maxWaiting?: number | undefined;
  /** False: a dry run, which decides and counts but allows everything. Default: true. */
  readonly enforce?: boolean | undefined;
  /**
   * Makes all memory of the limiter resident at creation, so that it cannot run out later: a system that has too little
   * refuses it, or ends the process, at creation. This takes some tenths of a second for each gigabyte. Default: false;
   * then creation takes only address space, and a page becomes resident when it is first written.
   */
  readonly commit?: boolean | undefined;
  /** A manual clock for tests. Default: the machine's monotonic clock. */
  readonly clock?: ManualClock | undefined;
}

/**
 * The changes for `Limiter.configure`. Values that are left out stay as they are. A tier that the limiter was made
 * without cannot be added.
 */
export interface LimiterChanges {
  /** A `warmUpMs` begins a new warm-up now; 0 ends one. */
  readonly tokenBucket?:
    | {
        /** As the option of `Limiter.create`. */
        readonly ratePerSecond?: number | undefined;
        /** As the option of `Limiter.create`. */
        readonly burst?: number | undefined;
        /** As the option of `Limiter.create`, from now on. */
        readonly warmUpMs?: number | undefined;
      }
    | undefined;
  /**
   * The change of the window. With several windows a list of as many changes, where `{}` leaves a window as it is. The
   * `limit` of an exact window is at most the one that it was made with.
   */
  readonly slidingWindow?: WindowChanges | readonly WindowChanges[] | undefined;
  /** The change of the depth. */
  readonly queueDepth?:
    | {
        /** The new `max`: 1 to 2^32 - 1. */
        readonly max?: number | undefined;
      }
    | undefined;
  /** False begins a dry run, true ends it. */
  readonly enforce?: boolean | undefined;
}

export const costMax: typeof limiterLimits.cost = limiterLimits.cost;
export const keysMax: typeof limiterLimits.keys = limiterLimits.keys;
/** The longest block. */
export const blockMsMax: number = 31 * 86_400_000;
const { waiters: waitingMax, warmUpMs: warmUpMsMax } = limiterLimits;
const rates = [limiterLimits.rateMin, limiterLimits.rate] as const;
/** Native code leaves a figure as it is if it gets this value in place of the figure. */
const unchanged = Number.NaN;

export function creationOptions(where: string, options: LimiterOptions): object {
  const known = [
    'tokenBucket',
    'slidingWindow',
    'queueDepth',
    'adaptive',
    'keys',
    'maxWaiting',
    'enforce',
    'commit',
    'clock',
  ];
  const given = new Options(where, options, known);
  const keys = given.nested('keys', ['max', 'maxWaitingPerKey']);
  const maxWaiting = given.integer('maxWaiting', 0, waitingMax, 1_024);
  const bucket = given.nested('tokenBucket', ['ratePerSecond', 'burst', 'warmUpMs']);
  const windows = windowOptions(where, given);
  const depth = given.nested('queueDepth', ['max', 'queue']);
  const adaptive = given.nested('adaptive', ['maxEventLoopDelayMs', 'queue', 'maxQueueWaitMs', 'intervalMs']);
  if (bucket === undefined && windows.length === 0 && depth === undefined) {
    throw adviceError(where, 'at least one of tokenBucket, slidingWindow, queueDepth', 'none given');
  }
  return {
    tokenBucket: bucket && {
      ratePerSecond: bucket.number('ratePerSecond', ...rates),
      burst: bucket.integer('burst', 1, costMax),
      warmUpMs: bucket.number('warmUpMs', 0, warmUpMsMax, 0),
    },
    windows,
    queueDepth: depth && {
      max: depth.integer('max', 1, costMax),
      queue: queueHandle(`${where}: queueDepth`, depth.get('queue')),
    },
    adaptive: adaptive && adaptiveOptions(where, adaptive),
    keysMax: keys?.integer('max', 1, keysMax) ?? 0,
    maxWaiting,
    maxWaitingPerKey: keys?.integer('maxWaitingPerKey', 1, waitingMax, Math.max(16, maxWaiting >> 4)) ?? 0,
    enforce: given.boolean('enforce', true) ? 1 : 0,
    commit: given.boolean('commit', false),
    clock: nativeClock(where, given.get('clock')),
  };
}

export function changeOptions(where: string, changes: LimiterChanges, limiter: NativeLimiter): object {
  const given = new Options(where, changes, ['tokenBucket', 'slidingWindow', 'queueDepth', 'enforce']);
  const tier = (name: string, present: boolean, known: readonly string[]): Options | undefined => {
    if (present || !given.has(name)) return given.nested(name, known);
    throw optionError(
      `${where}: ${name}`,
      'undefined (the limiter was made without it)',
      given.get(name),
      true,
    );
  };
  const bucket = tier('tokenBucket', limiter.hasBucket, ['ratePerSecond', 'burst', 'warmUpMs']);
  const windows = windowChanges(where, given, limiter);
  const depth = tier('queueDepth', limiter.hasDepth, ['max']);
  return {
    ratePerSecond: bucket?.has('ratePerSecond') ? bucket.number('ratePerSecond', ...rates) : unchanged,
    burst: bucket?.has('burst') ? bucket.integer('burst', 1, costMax) : unchanged,
    warmUpMs: bucket?.has('warmUpMs') ? bucket.number('warmUpMs', 0, warmUpMsMax) : unchanged,
    windows,
    max: depth?.has('max') ? depth.integer('max', 1, costMax) : unchanged,
    enforce: given.has('enforce') ? Number(given.boolean('enforce', true)) : unchanged,
  };
}

function adaptiveOptions(where: string, adaptive: Options): object {
  const watches = adaptive.has('queue') || adaptive.has('maxQueueWaitMs');
  if (!watches && !adaptive.has('maxEventLoopDelayMs')) {
    const expected = 'maxEventLoopDelayMs, or queue and maxQueueWaitMs';
    throw optionError(`${where}: adaptive`, expected, 'neither', true);
  }
  if (watches && !adaptive.has('queue')) {
    throw optionError(`${where}: adaptive: queue`, 'a Queue beside maxQueueWaitMs', undefined, true);
  }
  return {
    maxEventLoopDelayMs: adaptive.has('maxEventLoopDelayMs')
      ? adaptive.number('maxEventLoopDelayMs', limiterLimits.loopDelayMsMin, limiterLimits.loopDelayMs)
      : 0,
    queue: queueHandle(`${where}: adaptive`, adaptive.get('queue')),
    maxQueueWaitMs: watches
      ? adaptive.number('maxQueueWaitMs', limiterLimits.queueWaitMsMin, limiterLimits.queueWaitMs)
      : 0,
    intervalMs: adaptive.number('intervalMs', limiterLimits.adaptiveMsMin, limiterLimits.adaptiveMs, 500),
  };
}

function queueHandle(where: string, queue: unknown): NativeHandle | undefined {
  if (queue === undefined) return undefined;
  if (!(queue instanceof Queue)) throw optionError(`${where}: queue`, 'a Queue', queue, true);
  return insideQueue(queue).native.handle;
}
