/** The one file that loads and types the addon. Nothing outside of it knows that there is a `.node` file. */
import { closeSync, openSync, readSync } from 'node:fs';
import { createRequire } from 'node:module';
import { optionError, SluiceError } from './errors.js';

const require = createRequire(import.meta.url);

/** What crosses to another thread: plain data that survives structured clone. */
export interface Handle<Kind extends string> {
  readonly sluice: Kind;
  readonly id: number;
  readonly token: bigint;
}

export interface NativeHandle {
  readonly id: number;
  readonly token: bigint;
}

/** What hot functions answer beside counts: see native/addon. */
export const CLOSED = -1;
export const NOT_CONSUMER = -2;
export const NEEDS_USER = -3;
export const DISPOSED = -100;

/** Answers of `park()`. */
export const PARKED = 1;
export const ENDED = 2;
export const CANNOT_PARK = 3;

/** States of a waiter: `WaiterState` in native/core/waiting_line.h. */
export const SERVED_WAITER = 2;
export const CLOSED_WAITER = 3;
/** The line of those who wait for room is full. */
export const LINE_FULL = -4;

export interface NativeQueue {
  readonly handle: NativeHandle;
  readonly capacity: number;
  readonly lanes: number;
  readonly expires: boolean;
  readonly manualClock: boolean;
  /** Whether the queue may drop records: see `on`. */
  readonly drops: boolean;
  readonly overflow: number;
  /** Undefined once it is pushed. */
  push(): number | undefined;
  pushTo(lane: number, hasTtl: number, waits: number): number | undefined;
  pushMany(count: number, lane: number, hasTtl: number, more: number): number;
  waitPush(lane: number, hasTtl: number): number;
  waitReserve(lane: number, permits: number): number;
  waiterState(waiter: number): number;
  leave(waiter: number): number;
  retire(waiter: number, lane: number, permits: number): void;
  awaitServed(ms: number): void;
  onServed(callback: () => void): number;
  keepAlive(alive: number): void;
  reserve(lane: number, want: number): number;
  pushReserved(lane: number, used: number, unused: number, hasTtl: number): number;
  openBatch(buffer: ArrayBuffer, lane: number): number;
  fillBatch(batch: number): number;
  flushBatch(batch: number): number;
  closeBatch(batch: number): void;
  next(consumed: number, max: number): number;
  take(max: number): number;
  /** As take(1), but undefined for one. */
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
  depth(): number;
  stats(): QueueStats | number;
  dispose(): void;
}

/** Memory that JavaScript and native code share for one queue object. */
export interface QueueStaging {
  readonly in: ArrayBuffer;
  readonly out: ArrayBuffer;
  readonly dropped: ArrayBuffer;
  readonly words: ArrayBuffer;
}

/** How long records waited between push and removal, in nanoseconds; quantiles are within 1.6 %. */
export interface WaitStats {
  readonly count: number;
  readonly mean: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

/**
 * Counters since creation, over all threads. While nothing moves,
 * `pushed = popped + expired + dropped + depth`.
 */
export interface QueueStats {
  /** Records in the queue now. */
  readonly depth: number;
  /** The largest depth so far. */
  readonly highWater: number;
  readonly pushed: number;
  /** Records consumed. */
  readonly popped: number;
  /** Records refused at once because the queue was full; not those that waited for room in vain. */
  readonly rejected: number;
  /** Records whose time ran out before they were due. */
  readonly expired: number;
  /** Records dropped by 'drop-oldest' and by shedding. */
  readonly dropped: number;
  /** Of `dropped`, those shed because the queue stood. */
  readonly shed: number;
  /** Those who wait for room now. */
  readonly waiting: number;
  /** Those who could not even wait, because `maxWaiting` did. */
  readonly waitersRefused: number;
  /** Room taken ahead and not used yet. */
  readonly permits: number;
  /** How often a sleeping consumer was woken. */
  readonly wakeups: number;
  /** Only counted with the option `latency`. */
  readonly waitNs: WaitStats;
}

/** A key as it crosses to native code: see `Limiter`. */
export type NativeKey = string | number | bigint;

export interface NativeLimiter {
  readonly handle: NativeHandle;
  /** What is fixed at creation. */
  readonly keyed: boolean;
  readonly hasBucket: boolean;
  readonly hasWindow: boolean;
  readonly hasDepth: boolean;
  /** The largest limit of an exact window; 0: the window is not exact. */
  readonly logCapacity: number;
  readonly followsQueue: boolean;
  /** 0: without the adaptive tier. */
  readonly maxEventLoopDelayMs: number;
  readonly adaptiveIntervalMs: number;
  readonly manualClock: boolean;
  allow(cost: number, key?: NativeKey): number;
  tryAcquire(cost: number, key?: NativeKey): number;
  peek(cost: number, key?: NativeKey): number;
  release(cost: number, key?: NativeKey): number;
  penalize(points: number, key?: NativeKey): number;
  reward(points: number, key?: NativeKey): number;
  reset(unused: number, key?: NativeKey): number;
  block(ns: number, key?: NativeKey): number;
  overload(ns: number): number;
  acquire(cost: number, key?: NativeKey): number;
  check(waiter: number): number;
  leave(waiter: number): void;
  onServed(callback: () => void): number;
  keepAlive(alive: number): void;
  configure(changes: object): number;
  stats(): NativeLimiterStats | number;
  limits(): Limits | number;
  dispose(): void;
}

/** The figures of a limiter's tiers as they are now; those of an absent tier are absent. */
export interface Limits {
  readonly ratePerSecond?: number;
  readonly burst?: number;
  readonly limit?: number;
  readonly windowMs?: number;
  readonly max?: number;
}

export interface NativeLimiterStats {
  readonly allowed: number;
  readonly tokenBucket: number;
  readonly slidingWindow: number;
  readonly queueDepth: number;
  readonly blocked: number;
  readonly adaptive: number;
  readonly waitingLine: number;
  readonly waiting: number;
  readonly dryRefusals: number;
  readonly overflowed: number;
  readonly places: number;
  readonly evicted: number;
  readonly bytes: number;
  readonly inFlight: number;
}

/** The units of one item. `available + reserved + sold = total`, always. */
export interface StockCounts {
  readonly total: number;
  readonly available: number;
  readonly reserved: number;
  readonly sold: number;
}

export interface NativeAudit {
  readonly items: number;
  readonly held: number;
  readonly lines: number;
  readonly free: number;
  readonly slots: number;
  readonly users: number;
  readonly usersCounted: number;
  /** Pairs of a user and an item that have less than their reservations hold. */
  readonly usersShort: number;
  /** Shards whose own reservations do not add up. */
  readonly shardsOff: number;
  readonly mismatch?: StockCounts & { sku: number | string; reservedFound: number; usersFound: number };
}

/** Reservations and refusals since creation, over all threads. */
export interface StockStats {
  readonly reserved: number;
  readonly confirmed: number;
  readonly cancelled: number;
  readonly expired: number;
  readonly extended: number;
  readonly refused: number;
}

export interface NativeMovement {
  readonly kind: number;
  readonly sku: number | string;
  readonly quantity: number;
  readonly timeMs: number;
  readonly reservation?: bigint;
  readonly user?: bigint | string;
}

export interface NativeStock {
  readonly handle: NativeHandle;
  readonly slots: number;
  readonly holdMs: number;
  readonly keepsMovements: boolean;
  readonly manualClock: boolean;
  reserve(lines: number): number;
  confirm(): number;
  cancel(): number;
  extend(): number;
  sweep(slots: number): number;
  addItem(): number;
  restock(): number;
  withdraw(): number;
  closeItem(): number;
  /** 1 if an item has a per-user limit. */
  limitsUsers(): number;
  counts(): StockCounts | number | undefined;
  audit(): NativeAudit | number;
  oldestMovement(): number;
  endOfMovements(): number;
  readMovement(position: number): NativeMovement | number;
  snapshot(): ArrayBuffer | number | undefined;
  stats(): StockStats | number;
  dispose(): void;
}

/** Outcomes of `admit()`, and what became of the orders, since creation and over all threads. */
export interface GateStats {
  readonly admitted: number;
  readonly duplicates: number;
  readonly rateLimited: number;
  readonly queueFull: number;
  readonly soldOut: number;
  readonly userLimit: number;
  readonly otherwiseRefused: number;
  /** Orders that a consumer has taken and not decided now, those of one that died included. */
  readonly inHand: number;
  /** How often an order was handed out again, because the consumer that had it in hand ended. */
  readonly redelivered: number;
}

export interface NativeGate {
  readonly handle: NativeHandle;
  readonly maxInHand: number;
  /** Undefined: admitted. */
  admit(): number | undefined;
  admitWith(holdNs: number, lines: number, key?: NativeKey): number | undefined;
  take(max: number, begins: number): number;
  resolve(confirm: number, entry: number): number;
  renew(): number;
  stats(): GateStats | number;
  dispose(): void;
}

export interface NativeClock {
  readonly handle: NativeHandle;
  now(): number;
  advance(ns: number): number;
}

/** Where a whole number stands in a record. Types are those of `NumberType` in native/core/admission.h. */
export interface NativeField {
  readonly type: number;
  readonly offset: number;
}

/** Which fields of a record are the request to the stock. */
export interface NativeFields {
  sku?: NativeField;
  quantity?: NativeField;
  user?: NativeField;
  id?: NativeField;
}

export interface NativeParts<Queue, Limiter, Stock> {
  readonly queue: Queue;
  readonly limiter?: Limiter | undefined;
  readonly stock?: Stock | undefined;
}

/** Cold calls answer a string where something stood in the way: see `made()`. */
interface Native {
  createClock(startNs: number): NativeClock;
  attachClock(handle: NativeHandle): NativeClock | string;
  createQueue(options: object, staging: QueueStaging): NativeQueue | string;
  attachQueue(handle: NativeHandle, schema: bigint, staging: QueueStaging): NativeQueue | string;
  createLimiter(options: object, staging: ArrayBuffer): NativeLimiter | string;
  attachLimiter(handle: NativeHandle, staging: ArrayBuffer): NativeLimiter | string;
  createStock(options: object, staging: ArrayBuffer): NativeStock | string;
  restoreStock(snapshot: Uint8Array, options: object, staging: ArrayBuffer): NativeStock | string;
  attachStock(handle: NativeHandle, staging: ArrayBuffer): NativeStock | string;
  createGate(
    parts: NativeParts<NativeQueue, NativeLimiter, NativeStock>,
    fields: NativeFields,
    maxInHand: number,
    staging: ArrayBuffer,
  ): NativeGate | string;
  gateParts(
    handle: NativeHandle,
  ): (NativeParts<NativeHandle, NativeHandle, NativeHandle> & { fields: NativeFields }) | string;
  attachGate(
    handle: NativeHandle,
    parts: NativeParts<NativeQueue, NativeLimiter, NativeStock>,
    staging: ArrayBuffer,
  ): NativeGate | string;
}

/** The object, or the typed error for what the addon said stood in the way of making or attaching `what`. */
export function made<T extends object>(what: string, answer: T | string): T {
  if (typeof answer === 'object') return answer;
  switch (answer) {
    case 'dead-handle':
      throw new SluiceError(
        'ERR_SLUICE_HANDLE',
        `${what}: the handle names nothing that is alive: it was disposed of, its threads have ended, or it comes ` +
          'from another process or another copy of sluice',
      );
    case 'bad-schema':
      throw new SluiceError(
        'ERR_SLUICE_SCHEMA',
        `${what}: the record differs from the one the queue was created with`,
      );
    case 'too-many-threads':
      throw new SluiceError('ERR_SLUICE_THREADS', `${what}: attached 256 times already, which is the most`);
    case 'no-memory':
      throw new SluiceError('ERR_SLUICE_MEMORY', `${what}: the system has no memory to give`);
    case 'queue-gated':
      throw new SluiceError('ERR_SLUICE_GATED', `${what}: another gate feeds this queue already`);
    case 'clocks-differ':
      throw optionError(what, 'a queue, limiter and stock with the same clock', 'different clocks', true);
    case 'no-snapshot':
      throw new SluiceError('ERR_SLUICE_SNAPSHOT', `${what}: not a snapshot of a Stock`);
    case 'snapshot-version':
      throw new SluiceError('ERR_SLUICE_SNAPSHOT', `${what}: a snapshot of another version of sluice`);
    case 'snapshot-damaged':
      throw new SluiceError(
        'ERR_SLUICE_SNAPSHOT',
        `${what}: the snapshot is damaged: its checksum does not hold, or it contradicts itself`,
      );
    case 'disposed':
      throw disposed(what);
    default:
      throw new SluiceError('ERR_SLUICE_HANDLE', `${what}: refused by the addon: ${answer}`);
  }
}

/** The handle of an object of `kind` as it crosses threads. */
export function publicHandle<Kind extends string>(kind: Kind, handle: NativeHandle): Handle<Kind> {
  return Object.freeze({ sluice: kind, id: handle.id, token: handle.token });
}

/** Checks that `value` is a handle of `kind`, as far as its form goes. */
export function checkedHandle<Kind extends string>(where: string, kind: Kind, value: unknown): NativeHandle {
  const handle = value as Partial<Handle<Kind>> | null | undefined;
  const formed =
    typeof handle === 'object' &&
    handle !== null &&
    typeof handle.id === 'number' &&
    typeof handle.token === 'bigint';
  if (!formed) throw optionError(`${where}: handle`, `the handle of a ${kind}`, value, true);
  const named: unknown = handle.sluice;
  if (named !== kind) {
    const received = typeof named === 'string' ? `the handle of a ${named}` : value;
    throw optionError(`${where}: handle`, `the handle of a ${kind}`, received, true);
  }
  return value as Handle<Kind>;
}

export function disposed(what: string): SluiceError {
  return new SluiceError('ERR_SLUICE_DISPOSED', `${what}: already disposed of in this thread`);
}

/** The result of a native `stats()`, `counts()` or `audit()`, unless the object is disposed of. */
export function alive<T>(what: string, answer: T | number): T {
  if (typeof answer === 'number') throw disposed(what);
  return answer;
}

/** Whether this process runs on musl: its program interpreter says so in the first page of the executable. */
function isMusl(): boolean {
  const page = Buffer.alloc(4096);
  try {
    const file = openSync('/proc/self/exe', 'r');
    try {
      readSync(file, page, 0, page.length, 0);
    } finally {
      closeSync(file);
    }
  } catch {
    return false;
  }
  return page.includes('/ld-musl-');
}

function load(): Native {
  const platform = `${process.platform}-${process.arch}`;
  const file = process.platform === 'linux' ? `sluice.${isMusl() ? 'musl' : 'glibc'}.node` : 'sluice.node';
  const attempts = [`../prebuilds/${platform}/${file}`, '../build/Release/sluice.node'];
  const failures: Error[] = [];
  for (const attempt of attempts) {
    try {
      return require(attempt) as Native;
    } catch (error) {
      failures.push(error as Error);
    }
  }
  const reasons = attempts.map((attempt, i) => `  ${attempt}: ${failures[i]?.message.split('\n')[0]}`);
  throw new SluiceError(
    'ERR_SLUICE_LOAD',
    `sluice has no working binary for ${platform} (${file}).\nTried:\n${reasons.join('\n')}\n` +
      'What to do: reinstall sluice without omitting files; if the platform has no prebuilt binary, clone the ' +
      'repository and run "npm install", which needs a C++20 compiler and Python; in a bundle, mark sluice as ' +
      'external so that its binary stays beside it.',
    { cause: new AggregateError(failures) },
  );
}

export const native: Native = load();
