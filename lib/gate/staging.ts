import { gateStaging } from '../binding/index.js';

/** Named in the error if a native function answers that an object is disposed of. */
export const whatOrPart = 'Gate (or its queue, limiter or stock)';

/** Offsets in the staging buffer in words of 64 bits, and the offset and size of the orders taken. */
export const words: Readonly<
  Record<'reservation' | 'retryAfterMs' | 'line' | 'renewInMs' | 'taken' | 'each', number>
> = {
  reservation: gateStaging.reservation / 8,
  retryAfterMs: gateStaging.retryAfterMs / 8,
  line: gateStaging.line / 8,
  renewInMs: gateStaging.renewInMs / 8,
  taken: gateStaging.taken / 8,
  each: gateStaging.takenBytes / 8,
};
/**
 * In words of 32 bits: the offset and size of the orders taken, as above, and the offsets of `entry` and `deliveries`
 * within one such order.
 */
export const halves: Readonly<Record<'taken' | 'each' | 'entry' | 'deliveries', number>> = {
  taken: gateStaging.taken / 4,
  each: gateStaging.takenBytes / 4,
  entry: gateStaging.takenEntry / 4,
  deliveries: gateStaging.takenDeliveries / 4,
};
