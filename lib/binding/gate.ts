import type { gateFunctions } from './contract.js';
import type { NativeHandle } from './handle.js';
import type { NativeKey } from './limiter.js';

interface GateCalls {
  /** Writes its answer to the staging buffer, as `admitWith` and `admitAside` do. */
  admit(): void;
  admitWith(holdNs: number, lines: number, key?: NativeKey): void;
  /** As admitWith(), but writes an order that was admitted to the staging buffer in place of pushing it. */
  admitAside(holdNs: number, lines: number, key?: NativeKey): void;
  /** Pushes the staged record as that of the order in the staging buffer. Returns 1; 0 if the queue is full. */
  pushAside(): number;
  /** Gives back what the order in the staging buffer holds. */
  dropAside(): void;
  take(max: number, begins: number): number;
  /** A quantity of 0 means all units. */
  resolve(confirm: number, entry: number, quantity: number): number;
  putBack(entry: number): void;
  renew(): number;
  /** Writes the figures to the staging buffer and returns 0. */
  stats(): number;
  dispose(): void;
}

export type NativeGate = Pick<GateCalls, (typeof gateFunctions)[number]> & {
  readonly handle: NativeHandle;
  readonly maxInHand: number;
};

/** Where a field begins in a record, and its type, which is one of `fieldTypes`. */
interface NativeField {
  readonly type: number;
  readonly offset: number;
  /** The most bytes of text that the field has room for; 0 if it holds a number. */
  readonly textRoom: number;
}

/** The fields of a record from which the gate makes the request to the stock. */
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
