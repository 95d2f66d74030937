import { gateStaging } from '../binding/index.js';

/** Named in the error if a native function answers that an object is disposed of. */
export const whatOrPart = 'Gate (or its queue, limiter or stock)';

/** In words of 64 bits: offsets in the staging buffer. From `taken` on, each order taken has `each` words. */
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
 * In words of 32 bits: `answer`; `taken` and `each`, as above, and the offsets of `entry` and `deliveries` within an
 * order taken.
 */
export const halves: Readonly<Record<'answer' | 'taken' | 'each' | 'entry' | 'deliveries', number>> = {
  answer: gateStaging.answer / 4,
  taken: gateStaging.taken / 4,
  each: gateStaging.takenBytes / 4,
  entry: gateStaging.takenEntry / 4,
  deliveries: gateStaging.takenDeliveries / 4,
};
