// @ts-check
import { CATALOGUE } from '../catalogue.js';

/** What the name of every key begins with. */
export const PREFIX = 'flash-sale';

export const GROUP = 'cashiers';

/** As the sale of one process: see sale.js. All processes together keep to it. */
export const LIMITS = {
  tokenBucket: { ratePerSecond: 250, burst: 150 },
  slidingWindow: { limit: 300, windowMs: 1_000, buckets: 20 },
};

/** Orders that the cashier of one process handles at a time. */
export const CONCURRENCY = 4;

/** The stream may hold this many orders: the opening burst fills it. */
export const STREAM_LENGTH_MAX = 64;

/** If no cashier has decided an admitted order within this time, its units are on sale again. */
const HOLD_MS = 30_000;

/** The units of a process that was killed come back after this time. */
const LEASE_MS = 1_000;

/** The parent reads all changes of the sale at its end. */
const MOVEMENTS_KEPT = 1_000_000;

/**
 * The options of the stock, which all processes share.
 * @param {import('sluice/redis').RedisPort} redis
 * @param {string} sale
 * @returns {import('sluice/redis').RedisStockOptions}
 */
export function stockOptions(redis, sale) {
  return {
    ...{
      redis,
      prefix: PREFIX,
      sale,
      holdMs: HOLD_MS,
      movements: MOVEMENTS_KEPT,
      lease: { ttlMs: LEASE_MS },
    },
    items: CATALOGUE.map(({ sku, quantity, perUser }) => ({ sku, quantity, perUser })),
  };
}

/** @param {string} sale */
export function streamOf(sale) {
  return `${PREFIX}:{${sale}}:orders`;
}
