import { checkedAnswer, figuresOf, gateFigures, gateStaging, type NativeGate } from '../binding/index.js';

/** Figures of a gate, over all threads. Outcomes of `admit()` and repeated deliveries are counted since creation. */
export interface GateStats {
  /** Orders admitted. */
  readonly admitted: number;
  /** Orders that came again under an id whose reservation was held or sold. */
  readonly duplicates: number;
  /** Orders of a restored stock that came again, and were charged and queued again. */
  readonly requeued: number;
  /** Orders refused by the limiter ('rate-limited'). */
  readonly rateLimited: number;
  /** Orders refused as 'queue-full'. */
  readonly queueFull: number;
  /** Orders refused as 'sold-out'. */
  readonly soldOut: number;
  /** Orders refused as 'user-limit'. */
  readonly userLimit: number;
  /** Orders refused for any other reason. */
  readonly otherwiseRefused: number;
  /** Orders that a consumer has taken and not decided yet, those of a consumer that has ended included. */
  readonly inHand: number;
  /** How often an order was handed out again, because the consumer that had it in hand ended. */
  readonly redelivered: number;
}

/** See `Gate.stats`. */
export function statsOf(what: string, native: NativeGate, staging: Float64Array): GateStats {
  checkedAnswer(what, native.stats());
  return figuresOf(gateFigures, staging, gateStaging.figures);
}
