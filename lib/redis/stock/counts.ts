import type { StockCounts } from '../../stock/index.js';
import { countsIn } from '../client/index.js';

/** The units of one item, over all machines. `available + reserved + sold = total`. */
export interface RedisStockCounts extends StockCounts {
  /** How many of the available units processes have leased. */
  readonly leased: number;
}

/** Makes counts of: total, free, leased, held, sold. @throws the error of `noReply`. */
export function countsOf(reply: unknown): RedisStockCounts {
  const [total, free, leased, reserved, sold] = countsIn(reply, 5) as [
    number,
    number,
    number,
    number,
    number,
  ];
  return { total, available: free + leased, reserved, sold, leased };
}
