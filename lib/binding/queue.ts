import { answers, parks, type queueFunctions, waiterStates } from './contract.js';
import type { NativeHandle } from './handle.js';

/** Answers of a queue's native functions in place of a count. */
export const CLOSED: typeof answers.closed = answers.closed;
export const NOT_CONSUMER: typeof answers.notConsumer = answers.notConsumer;
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
  readonly overflow: number;
}

interface QueueCalls {
  /** Returns undefined if the record was pushed. */
  push(): number | undefined;
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
  dispose(): void;
}

export type NativeQueue = QueueProperties & Pick<QueueCalls, (typeof queueFunctions)[number]>;

/** Memory that JavaScript and native code share for one queue object. */
export interface QueueStaging {
  readonly in: ArrayBuffer;
  readonly out: ArrayBuffer;
  readonly dropped: ArrayBuffer;
  readonly words: ArrayBuffer;
}
