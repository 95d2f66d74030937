// committed.js <what> <commit>: makes one object of at least 64 MB, and prints by how many megabytes the process has
// grown.
import { bytes, Gate, Limiter, Queue, record, Stock } from 'sluice';

const [what = '', commit] = process.argv.slice(2);
const Large = record({ blob: bytes(60_000) });
const sizes = { maxReservations: 2 ** 20, maxUsers: 2 ** 16, maxIds: 2 ** 16 };
const options = { commit: commit === 'commit' };
const queue = Queue.create(Large, { capacity: 1 });
const small = Stock.create({
  items: [],
  maxReservations: 1,
  maxUsers: 1,
  maxIds: 1,
  movements: 0,
}).snapshot();

/** @type {Record<string, () => unknown>} */
const makers = {
  queue: () => Queue.create(Large, { capacity: 2 ** 11, maxWaiting: 0, ...options }),
  limiter: () =>
    Limiter.create({ tokenBucket: { ratePerSecond: 1, burst: 1 }, keys: { max: 2 ** 20 }, ...options }),
  stock: () => Stock.create({ items: [], ...sizes, ...options }),
  'restored stock': () => Stock.restore(small, { ...sizes, ...options }),
  gate: () => Gate.create({ queue, maxInHand: 2 ** 11, ...options }),
};

const before = process.memoryUsage.rss();
const made = makers[what]?.();
console.log(made === undefined ? NaN : (process.memoryUsage.rss() - before) / 2 ** 20);
