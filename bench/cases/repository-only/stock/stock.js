/**
 * `npm run bench:stock -- [--rounds N] [--quick]` measures a hot item in one shard, and split over several (`shards`),
 * while 1, 2 and 4 workers reserve one unit and cancel it again, as fast as they can. Each round measures every number
 * of workers with every number of shards. The program prints a Markdown table of medians (min to max) of the rates, and
 * of each rate's ratio to the rate with one shard in the same round.
 */
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { Stock } from '../../../../dist/index.js';
import { IdleGuard } from '../../../harness/runner/idle-guard.js';
import { spread } from '../../../harness/runner/statistics.js';

const { values } = parseArgs({
  options: { rounds: { type: 'string' }, quick: { type: 'boolean', default: false } },
});
const rounds = Number(values.rounds ?? (values.quick ? 1 : 7));
const [warmUpMs, measuredMs] = values.quick ? [50, 100] : [200, 700];
const guard = new IdleGuard(
  values.quick ? { patienceMs: 0, sampleMs: 50 } : { patienceMs: 120_000, sampleMs: 1_000 },
);

const workerCounts = [1, 2, 4];
const shardCounts = [1, 2, 4, 8];
const url = new URL('./seller.js', import.meta.url);

/**
 * Returns the reservations a second of all workers together.
 * @param {number} workers
 * @param {number} shards
 */
async function measure(workers, shards) {
  const stock = Stock.create({
    items: [{ sku: 1, quantity: 1_000_000, shards }],
    maxReservations: 4_096,
    movements: 0, // the log would be a cache line that all workers write
  });
  const shared = new Int32Array(new SharedArrayBuffer(8));
  const sellers = Array.from(
    { length: workers },
    () => new Worker(url, { workerData: { handle: stock.handle, shared } }),
  );
  try {
    await Promise.all(sellers.map((seller) => once(seller, 'message')));
    const answers = Promise.all(sellers.map((seller) => once(seller, 'message')));
    for (const [state, ms] of /** @type {const} */ ([
      [1, warmUpMs],
      [2, measuredMs],
    ])) {
      Atomics.store(shared, 0, state);
      Atomics.notify(shared, 0);
      await sleep(ms);
    }
    Atomics.store(shared, 0, 3);
    const done = await answers;
    stock.audit();
    if (stock.counts(1).available !== 1_000_000) throw new Error('units were lost');
    return done.reduce((sum, [{ reservations, seconds }]) => sum + reservations / seconds, 0);
  } finally {
    await Promise.all(sellers.map((seller) => seller.terminate()));
    stock[Symbol.dispose]();
  }
}

/** @type {Map<string, number[]>} */
const samples = new Map();
for (let round = 1; round <= rounds; round++) {
  for (const workers of workerCounts) {
    for (const shards of shardCounts) {
      await guard.wait();
      const perSecond = await measure(workers, shards);
      const key = `${workers} ${shards}`;
      samples.set(key, [...(samples.get(key) ?? []), perSecond]);
      console.error(
        `round ${round}: ${workers} workers, ${shards} shards: ${(perSecond / 1e6).toFixed(2)} M/s`,
      );
    }
  }
}

const of = (/** @type {number} */ workers, /** @type {number} */ shards) =>
  samples.get(`${workers} ${shards}`) ?? [];
const shown = (
  /** @type {import('../../../harness/runner/statistics.js').Spread} */ { median, min, max },
  unit = 1,
  digits = 2,
) =>
  `${(median / unit).toFixed(digits)} (${(min / unit).toFixed(digits)} to ${(max / unit).toFixed(digits)})`;
console.log(`\n| shards | ${workerCounts.map((n) => `${n} workers, M/s | against one shard`).join(' | ')} |`);
console.log(`|---|${'---|---|'.repeat(workerCounts.length)}`);
for (const shards of shardCounts) {
  const cells = workerCounts.map((workers) => {
    const mine = of(workers, shards);
    return `${shown(spread(mine), 1e6)} | ${shown(spread(mine.map((sample, round) => sample / /** @type {number} */ (of(workers, 1)[round]))))}`;
  });
  console.log(`| ${shards} | ${cells.join(' | ')} |`);
}
console.log(
  `\nMeasurements begun on an idle machine: ${guard.idle}, on a busy one: ${guard.gaveUp} ` +
    `(at most ${(guard.busiest * 100).toFixed(0)} % busy).`,
);
