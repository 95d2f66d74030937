import { checkDone, figuresOf, gateFigures, gateStaging, type NativeGate } from '../binding/index.js';

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

/** See `Gate.stats`. */
export function statsOf(what: string, native: NativeGate, staging: Float64Array): GateStats {
  checkDone(what, native.stats());
  return figuresOf(gateFigures, staging, gateStaging.figures);
}
