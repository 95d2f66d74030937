import { native } from './addon.js';
import { made } from './answers.js';
import { answers, parks, type queueFunctions, type Reason, waiterStates } from './contract.js';
import type { NativeHandle } from './handle.js';
import { Memory } from './memory.js';
import { type QueueFace, windowOf } from './window.js';

/** Answers of a queue's native functions in place of a count. */
export const CLOSED: typeof answers.closed = answers.closed;
export const NOT_CONSUMER: typeof answers.notConsumer = answers.notConsumer;
/** The answer of the WebAssembly face to a call that it leaves to the native function of that name. */
export const ELSEWHERE: typeof answers.elsewhere = answers.elsewhere;
/** The lane already has as many waiters for room as it may have. */
export const LINE_FULL: typeof answers.lineFull = answers.lineFull;

/** Answers of `park()` and `awaitRecord()`. */
export const PARKED: typeof parks.parked = parks.parked;
export const ENDED: typeof parks.ended = parks.ended;

/** States of a waiter. */
export const SERVED_WAITER: typeof waiterStates.served = waiterStates.served;
export const ENDED_WAITER: typeof waiterStates.ended = waiterStates.ended;

/** The properties of a queue, which are fixed at creation. */
interface QueueProperties {
  readonly handle: NativeHandle;
  readonly capacity: number;
  readonly lanes: number;
  readonly expires: boolean;
  readonly manualClock: boolean;
  /** Whether the consumer may drop records: expired, shed, or by 'drop-oldest'. */
  readonly drops: boolean;
  /** Whether the waits of records are measured. */
  readonly latency: boolean;
  readonly overflow: number;
  /** Where the parts of the staging begin in its buffer: see `QueueStaging`. */
  readonly places: QueuePlaces;
  /** How the WebAssembly face is called for this object; absent: it cannot be called. */
  readonly face?: {
    readonly cell: number;
    readonly low: number;
    readonly high: number;
    /** Whether it can also take records, not only push them. */
    readonly takes: boolean;
  };
}

interface QueuePlaces {
  readonly words: number;
  readonly in: number;
  /** How many bytes it is from one record in `in` to the next; also from one slot of the ring to the next. */
  readonly inApart: number;
  readonly out: number;
  readonly dropped: number;
}

interface QueueCalls {
  /** Returns undefined if the record was pushed. */
  push(): number | undefined;
  /** Wakes the consumer, if it sleeps: called after the WebAssembly face has pushed. */
  ring(): void;
  /** Wakes the threads that wait for what was freed: called after the WebAssembly face has taken records. */
  tell(): void;
  pushTo(lane: number, hasTtl: number, waits: number): number | undefined;
  pushMany(count: number, lane: number, hasTtl: number, more: number): number;
  waitPush(lane: number, hasTtl: number): number;
  waitReserve(lane: number, permits: number): number;
  waiterState(waiter: number): number;
  leave(waiter: number): number;
  retire(waiter: number): void;
  awaitServed(ms: number): void;
  onServed(callback: () => void): number;
  keepAlive(alive: number): void;
  reserve(lane: number, want: number): number;
  pushReserved(lane: number, used: number, unused: number, hasTtl: number): number;
  openBatch(buffer: ArrayBuffer, lane: number): number;
  fillBatch(batch: number): number;
  flushBatch(batch: number): number;
  closeBatch(batch: number): void;
  /**
   * Removes the first `consumed` of the records that the last call showed, and shows up to `max` more. Returns how many
   * this call shows, or `shownAndGone`.
   */
  next(consumed: number, max: number): number;
  take(max: number): number;
  /** As take(1), but returns undefined if it took a record. */
  takeOne(): number | undefined;
  wantDropped(wanted: number): void;
  park(): number;
  unpark(): void;
  setRef(keepsAlive: number): void;
  awaitRecord(ms: number): number;
  spin(pauses: number): number;
  consumes(): number;
  giveLease(): void;
  onArrival(callback: () => void): void;
  close(): number;
  closed(): number;
  drained(): number;
  consumed(): number;
  empty(): number;
  awaitEmpty(begins: number): number;
  emptied(): number;
  depth(): number;
  /** How many records of a lane were claimed since creation. */
  claimed(lane: number): number;
  /** How many records have left a lane since creation. */
  gone(lane: number): number;
  /** Writes the figures to the staging buffer and returns 0. */
  stats(): number;
  /** Writes the histogram of waits to `buffer`, as `waitsStaging` says, and returns 0. */
  waits(buffer: ArrayBuffer): number;
  dispose(): void;
}

export type NativeQueue = QueueProperties & Pick<QueueCalls, (typeof queueFunctions)[number]>;

/** Memory that JavaScript and native code share for one queue object. */
export interface QueueStaging extends QueuePlaces {
  readonly buffer: ArrayBuffer;
}

/** The calls of a queue object's hot path: those of its WebAssembly face, or the native functions. */
export interface HotCalls {
  /** Whether the first three arguments of the calls below name a cell. Native functions ignore these arguments. */
  readonly pushes: boolean;
  readonly takes: boolean;
  readonly cell: number;
  readonly low: number;
  readonly high: number;
  readonly push: (cell: number, low: number, high: number) => number | undefined;
  readonly takeOne: (cell: number, low: number, high: number) => number | undefined;
  readonly face: QueueFace | undefined;
}

/**
 * Makes a queue object by `call`, with its staging: in the arena, if this thread has a window on it and the arena has
 * room; otherwise in a buffer of its own.
 */
export function staged(
  what: string,
  recordBytes: number,
  call: (staging: ArrayBuffer | undefined) => NativeQueue | Reason,
): { native: NativeQueue; staging: QueueStaging; calls: HotCalls } {
  const window = windowOf();
  let buffer = window?.buffer;
  let answer = window === undefined ? 'no-cell' : call(undefined);
  if (answer === 'no-cell') {
    buffer = new Memory(native.stagingBytes(recordBytes));
    answer = call(buffer);
  }
  const queue = made(what, answer);
  const staging = { ...queue.places, buffer: buffer as ArrayBuffer };
  return { native: queue, staging, calls: callsOf(queue, window?.face) };
}

function callsOf(queue: NativeQueue, face: QueueFace | undefined): HotCalls {
  const { cell = 0, low = 0, high = 0, takes = false } = queue.face ?? {};
  const pushes = queue.face !== undefined && face !== undefined;
  return {
    pushes,
    takes,
    cell,
    low,
    high,
    push: pushes ? face.push : (queue.push as HotCalls['push']),
    takeOne: pushes && takes ? face.takeOne : (queue.takeOne as HotCalls['takeOne']),
    face: pushes ? face : undefined,
  };
}
