import { overflows, queueLimits, quoted } from '../binding/index.js';
import { type ManualClock, nativeClock } from '../clock/index.js';
import { copiedList, isInteger, Options, optionError } from '../input/index.js';
import { OverflowPlan } from './layer.js';

/** The names of the overflow policies: see `QueueOptions.overflow`. */
export type Overflow = keyof typeof overflows;

/** The options of `Queue.create`. */
export interface QueueOptions<T> {
  /** How many records a lane has room for, exactly: 1 to 16,777,216. For 'drop-oldest' see `overflow`. */
  readonly capacity: number;
  /**
   * Lanes of priority, each with its own `capacity`: 1 to 8; default 1. Lane 0 is the most urgent and is always served
   * first, except for the share that `weights` guarantees to the others. Within a lane, records leave in the order in
   * which they came.
   */
  readonly lanes?: number | undefined;
  /**
   * One whole number from 1 to 1,000 for each lane: a lane that always has records is served at least its weight's
   * share of the sum. Default: 1 for each lane but the first, whose weight makes the sum 20.
   */
  readonly weights?: readonly number[] | undefined;
  /**
   * How long a record may wait, in milliseconds from its push (0.001 to 86,400,000, or Infinity): after that it is not
   * consumed but counted, and reported to `on('expired')`. The consumer compares the time when it comes to the record.
   * A push can give its own `ttlMs` only if this option is given; with Infinity, only the records of such pushes
   * expire. Default: records never expire.
   */
  readonly ttlMs?: number | undefined;
  /**
   * How many callers may wait for room at the same time (`push`, `pushSync`, `reserve`): 0 to 65,536. Default: 1,024.
   */
  readonly maxWaiting?: number | undefined;
  /**
   * What happens to a record that finds no room. 'reject' (default): it is refused. 'drop-oldest': it is accepted, and
   * the consumer drops the oldest records beyond the capacity; the queue has memory for twice the capacity, and if that
   * is full, too, the record is refused. 'overwrite': it is always accepted, within exactly the capacity, and the push
   * itself drops the oldest record of its lane; `stats()` counts the dropped record, no event reports it, no push waits
   * for room, and a gate gives back at once what a dropped order holds. 'caller': it is refused and passed to
   * `onOverflow`. What `spill` of `sluice/overflow` returns: `push` keeps it in a store. Such a queue has neither
   * `ttlMs` nor `shed`, because its records are kept until they are consumed.
   */
  readonly overflow?: Overflow | OverflowPlan<T> | undefined;
  /**
   * With 'caller': called with each record for which `tryPush`, `tryPushMany` or a batcher of this object found no
   * room. `push` and `pushSync` report it by their own result instead. An error that the function throws is thrown by
   * the push. Other threads pass their own function to `attach`.
   */
  readonly onOverflow?: ((record: T) => void) | undefined;
  /**
   * Drops records that wait too long while the queue is congested (CoDel): when the shortest wait over `intervalMs`
   * (default 100) exceeds `targetMs` (default 5), records that waited more than twice the target are dropped and
   * counted.
   */
  readonly shed?:
    | {
        /** The wait that records may have, in milliseconds. Default: 5. */
        readonly targetMs?: number | undefined;
        /** Over how long the shortest wait counts, in milliseconds. Default: 100. */
        readonly intervalMs?: number | undefined;
      }
    | undefined;
  /**
   * Measures how long records wait, for `stats().waitNs`. It costs a clock reading for each push and for each native
   * call that takes records. Default: false.
   */
  readonly latency?: boolean | undefined;
  /**
   * Makes all pushes and takes native calls, which `npx sluice trace` sees; it does not see calls in WebAssembly (see
   * `QueueStats.path`), which are about three times as fast. The admissions, takes and decisions of a gate are seen
   * without this option. Default: false.
   */
  readonly trace?: boolean | undefined;
  /**
   * Makes all memory of the queue resident at creation, so that it cannot run out later: a system that has too little
   * refuses it, or ends the process, at creation. This takes some tenths of a second for each gigabyte. Default: false;
   * then creation takes only address space, and a page becomes resident when it is first written.
   */
  readonly commit?: boolean | undefined;
  /** A manual clock for tests. Default: the machine's monotonic clock. */
  readonly clock?: ManualClock | undefined;
}

/** The options of `Queue.attach` and `Gate.attach`. */
export interface AttachOptions<T> {
  /** As the option of `Queue.create`, for the pushes of this object. */
  readonly onOverflow?: ((record: T) => void) | undefined;
}

/** The options of a push. */
export interface PushOptions {
  /** The lane: 0 (the default, the most urgent) to the number of lanes - 1. */
  readonly lane?: number | undefined;
  /**
   * How long this record may wait, in milliseconds: 0.001 to 86,400,000, or Infinity. Needs a queue with `ttlMs`.
   * Default: the queue's `ttlMs`.
   */
  readonly ttlMs?: number | undefined;
}

/** How long a call may wait. */
export interface WaitOptions {
  /** How long to wait, in milliseconds: 0 to 2,147,483,647. Default: for as long as it takes. */
  readonly timeoutMs?: number | undefined;
  /** Ends the wait, which then rejects with the signal's reason. Default: none. */
  readonly signal?: AbortSignal | undefined;
}

/** The options of `Queue.consume`. */
export interface ConsumeOptions {
  /** The most records a handler gets at once: 1 to 65,536. Default: 64. */
  readonly batchSize?: number | undefined;
  /** The most handlers that run at the same time: 1 to 65,536. Default: 1. */
  readonly concurrency?: number | undefined;
  /**
   * How many CPU pauses (about 10 to 40 ns each) to look for records before sleeping: 0 to 1,000,000. For a thread that
   * does nothing else. Default: 0.
   */
  readonly spin?: number | undefined;
  /**
   * How long a handler may take, in milliseconds: 1 to 2,147,483,647. Default: no limit. A handler that takes longer
   * has failed, with SluiceError `ERR_SLUICE_TIMEOUT`; its signal aborts, and its result is ignored.
   */
  readonly handlerTimeoutMs?: number | undefined;
  /**
   * How long a consumption that ends early waits for the handlers that run, in milliseconds: 0 to 2,147,483,647, or
   * Infinity. Default: 10,000. The results of handlers that still run then are ignored.
   */
  readonly graceMs?: number | undefined;
  /** Ends the consumption: see `consume`. */
  readonly signal?: AbortSignal | undefined;
}

/** The options of `Queue.consumeInPlace`. */
export interface ConsumeInPlaceOptions {
  /** As for `consume`: see `ConsumeOptions`. */
  readonly spin?: number | undefined;
  /** Ends the consumption: see `consumeInPlace`. */
  readonly signal?: AbortSignal | undefined;
}

const ttlMsMax = 86_400_000;

/** The options of `Queue.create`: what native code needs of them, and what it does not. */
export interface CheckedQueue<T> {
  readonly native: Record<string, unknown>;
  readonly onOverflow: unknown;
  readonly spills: { readonly layer: OverflowPlan<T>; readonly maxWaiting: number } | undefined;
}

/** Checks the options of `Queue.create`. */
export function checkedQueue<T>(options: unknown): CheckedQueue<T> {
  const where = 'Queue.create';
  const sizes = ['capacity', 'lanes', 'weights', 'maxWaiting'];
  const known = [...sizes, 'ttlMs', 'overflow', 'onOverflow', 'shed', 'latency', 'trace', 'commit', 'clock'];
  const given = new Options(where, options, known);
  const lanes = given.integer('lanes', 1, queueLimits.lanes, 1);
  const shed = given.nested('shed', ['targetMs', 'intervalMs']);
  const asked = given.has('overflow') ? given.get('overflow') : 'reject';
  const layer = asked instanceof OverflowPlan ? (asked as OverflowPlan<T>) : undefined;
  const overflow = layer === undefined ? asked : 'reject';
  if (typeof overflow !== 'string' || !Object.hasOwn(overflows, overflow)) {
    throw optionError(`${where}: overflow`, quoted(Object.keys(overflows)), overflow, true);
  }
  for (const name of ['ttlMs', 'shed']) {
    if (layer !== undefined && given.has(name)) {
      const expected = 'undefined (a queue that spills drops no record)';
      throw optionError(`${where}: ${name}`, expected, given.get(name), true);
    }
  }
  const maxWaiting = given.integer('maxWaiting', 0, queueLimits.waiters, 1_024);
  return {
    native: {
      capacity: given.integer('capacity', 1, queueLimits.capacity),
      lanes,
      weights: checkedWeights(where, given.get('weights'), lanes),
      ttlMs: given.has('ttlMs') ? checkedTtl(given) : undefined,
      maxWaiting: overflow === 'overwrite' ? 0 : maxWaiting,
      overflow: overflows[overflow as Overflow],
      shed: shed && {
        targetMs: shed.number('targetMs', 0.001, 60_000, 5),
        intervalMs: shed.number('intervalMs', 0.001, 600_000, 100),
      },
      latency: given.boolean('latency', false),
      trace: given.boolean('trace', false),
      commit: given.boolean('commit', false),
      clock: nativeClock(where, given.get('clock')),
    },
    onOverflow: given.get('onOverflow'),
    spills: layer && { layer, maxWaiting },
  };
}

/**
 * Returns the listener for records that find no room. With the policy 'caller' there must be one, with another policy
 * none.
 */
export function checkedOverflow<T>(
  where: string,
  listener: unknown,
  isCaller: boolean,
): ((record: T) => void) | undefined {
  if (isCaller ? typeof listener !== 'function' : listener !== undefined) {
    const expected = isCaller
      ? "a function (the policy is 'caller')"
      : "undefined (the policy is not 'caller')";
    throw optionError(`${where}: onOverflow`, expected, listener, true);
  }
  return listener as ((record: T) => void) | undefined;
}

/** Reads `ttlMs` from the options. */
export function checkedTtl(given: Options): number {
  return given.get('ttlMs') === Number.POSITIVE_INFINITY
    ? Number.POSITIVE_INFINITY
    : given.number('ttlMs', 0.001, ttlMsMax);
}

/** The longest delay of a timer, in milliseconds. A timer with a longer delay runs at once. */
export const timeoutMsMax = 2_147_483_647;

/** Reads `timeoutMs` and `signal` from the options. */
export function checkedWait(given: Options): {
  timeoutMs: number | undefined;
  signal: AbortSignal | undefined;
} {
  const timeoutMs = given.has('timeoutMs') ? given.number('timeoutMs', 0, timeoutMsMax) : undefined;
  return { timeoutMs, signal: given.signal() };
}

/** Checks the timeout of a call that blocks its thread. */
export function checkTimeout(where: string, timeoutMs: unknown): void {
  if (typeof timeoutMs === 'number' && timeoutMs >= 0 && timeoutMs <= timeoutMsMax) return;
  throw optionError(
    `${where}: timeoutMs`,
    `a number from 0 to ${timeoutMsMax}`,
    timeoutMs,
    typeof timeoutMs !== 'number',
  );
}

/**
 * Makes the error for bad arguments of `drain`. It is a separate function, because V8 inlines only a limited number of
 * bytecodes into a loop that drains.
 */
export function drainError(visit: unknown, max: unknown): Error {
  if (typeof visit !== 'function') return optionError('Queue.drain: visit', 'a function', visit, true);
  return optionError('Queue.drain: max', 'a whole number from 0', max, typeof max !== 'number');
}

function checkedWeights(where: string, weights: unknown, lanes: number): number[] {
  if (weights === undefined) return Array.from({ length: lanes }, (_, lane) => (lane === 0 ? 21 - lanes : 1));
  const copied = copiedList(weights, lanes, lanes);
  const isWeight = (weight: unknown): weight is number =>
    typeof weight === 'number' && isInteger(weight) && weight >= 1 && weight <= queueLimits.weight;
  if (copied?.every(isWeight)) return copied;
  throw optionError(
    `${where}: weights`,
    `${lanes} whole numbers from 1 to ${queueLimits.weight}`,
    weights,
    true,
  );
}

/** Reads the options of `Queue.consumeInPlace`. */
export function checkedInPlace(
  where: string,
  options: ConsumeInPlaceOptions | undefined,
): { readonly spin: number; readonly signal: AbortSignal | undefined } {
  const given = new Options(where, options, ['spin', 'signal']);
  return { spin: given.integer('spin', 0, queueLimits.spin, 0), signal: given.signal() };
}

/** The most records of a batch, and the most handlers. */
export const batchMax = 65_536;

/** Checks the size of a batch. */
export function checkBatch(where: string, max: unknown): void {
  if (typeof max === 'number' && isInteger(max) && max >= 1 && max <= batchMax) return;
  throw optionError(where, `a whole number from 1 to ${batchMax}`, max, typeof max !== 'number');
}
