import { gateStaging } from '../binding/index.js';

/** Words of the staging buffer, and those of each order taken. */
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
/** Words of 32 bits of an order taken. */
export const halves: Readonly<Record<'taken' | 'each' | 'entry' | 'deliveries', number>> = {
  taken: gateStaging.taken / 4,
  each: gateStaging.takenBytes / 4,
  entry: gateStaging.takenEntry / 4,
  deliveries: gateStaging.takenDeliveries / 4,
};
