import type { gateFunctions } from './contract.js';
import type { NativeHandle } from './handle.js';
import type { NativeKey } from './limiter.js';

interface GateCalls {
  /** Undefined: admitted. */
  admit(): number | undefined;
  admitWith(holdNs: number, lines: number, key?: NativeKey): number | undefined;
  take(max: number, begins: number): number;
  /** A quantity of 0 is all of it. */
  resolve(confirm: number, entry: number, quantity: number): number;
  putBack(entry: number): void;
  renew(): number;
  /** 0, and the figures in the staging. */
  stats(): number;
  dispose(): void;
}

export type NativeGate = Pick<GateCalls, (typeof gateFunctions)[number]> & {
  readonly handle: NativeHandle;
  readonly maxInHand: number;
};

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
