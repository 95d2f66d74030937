import type { NativeHandle } from './handle.js';
import type { NativeKey } from './limiter.js';

/** Outcomes of `admit()`, and what became of the orders, since creation and over all threads. */
export interface GateStats {
  readonly admitted: number;
  /** Asked again, while held or sold. */
  readonly duplicates: number;
  /** Orders of a restored stock that were asked again, and queued again. */
  readonly requeued: number;
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
  /** A quantity of 0 is all of it. */
  resolve(confirm: number, entry: number, quantity: number): number;
  putBack(entry: number): void;
  renew(): number;
  stats(): GateStats | number;
  dispose(): void;
}

/** Where a whole number stands in a record. Types are those of `fieldTypes`. */
interface NativeField {
  readonly type: number;
  readonly offset: number;
  /** Of a text: the most bytes that the field has room for; else 0. */
  readonly textRoom: number;
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
