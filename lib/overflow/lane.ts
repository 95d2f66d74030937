import { DrainRate } from './drain-rate.js';
import type { StoredEntry } from './store.js';
import { Waits } from './waits.js';

/** What the layer knows of a lane of its queue. */
export interface Lane {
  readonly rate: DrainRate;
  /** How many more pushes need no look at the wait. */
  unlooked: number;
  /** Records that are on the way to the store, or in it and not in the ring yet. */
  behind: number;
  /** Those of them that are durable. */
  readable: number;
  /** The number of the last entry that was taken from the store. */
  taken: number;
  /** Entries that were taken and are not in the ring yet. */
  inHand: StoredEntry[];
  isPumping: boolean;
  readonly whenEmpty: Waits;
}

export function newLane(): Lane {
  return {
    ...{ rate: new DrainRate(), unlooked: 0, behind: 0, readable: 0, taken: 0 },
    ...{ inHand: [], isPumping: false, whenEmpty: new Waits() },
  };
}
