/**
 * Trap 7: reserve and enqueue as two steps.
 *
 * An order needs a unit of the stock and a place in the queue. If they are taken one after the other, three things go
 * wrong:
 *   - look, then take: between a thread's look at the stock and its deduction other threads look, too, and all of them
 *     see the last unit. More is sold than there is.
 *   - take, then find the queue full: the sender gets "try again", but the unit stays deducted. It was not bought and
 *     cannot be bought: a ghost. The sale ends with unsold units.
 *   - an atomic deduction and a roll-back for a full queue, as a careful author writes it: a thread that dies between
 *     the two steps rolls nothing back. Each deployment and each crash may leave ghosts.
 *
 * sluice: `gate.admit(order)` takes limiter, stock and queue in one native call: all of it happens or none, and a
 * thread cannot be terminated within it. An admitted order is in the queue, with its reservation.
 *
 * In the trap, 4 threads with 16 buyers each try to buy 40 items. Between the two steps the buyers await, as for a
 * database or a socket. In the second load the queue is small and its consumer starts late, after half of the attempts,
 * so that the queue is full. In the third load threads are terminated, all 4 at a time, and others go on. Afterwards
 * the trap compares the deducted units, the delivered orders and the initial units.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Gate, Queue, record, Stock, u32, u53 } from '../../dist/index.js';
import { runTrap, thread } from './trap.js';

const THREADS = 4;
const BUYERS = 16;
const ITEMS = 40;
const SMALL = 50;
const LARGE = 65_536;
const Order = record({ orderId: u53, sku: u32, quantity: u32 });
const title = 'Reserve and enqueue as two steps, or as one';

// Words of the shared memory: the number of attempts, then the units left of each item.
const ATTEMPTS = 0;
const LEFT = 32;

/** @typedef {'look' | 'rollback' | 'gate'} Version */
/** @typedef {{ version: Version, words: Int32Array, handle: any, rush: number }} Shop */

/** A thread with its buyers, which go on until the thread is terminated. @param {Shop} shop */
async function buyers({ version, words, handle, rush }) {
  const buy = version === 'gate' ? gateBuyer(handle) : twoStepBuyer(version, words, handle);
  await Promise.all(
    Array.from({ length: BUYERS }, async () => {
      for (;;) {
        const orderId = Atomics.add(words, ATTEMPTS, 1);
        // A rush: all buyers want the same item, then all want the next.
        const sku = Math.floor(orderId / rush) % ITEMS;
        await buy({ orderId, sku, quantity: 1 });
        await nextTurn();
      }
    }),
  );
}

/**
 * @param {'look' | 'rollback'} version
 * @param {Int32Array} words
 * @param {import('../../dist/index.js').QueueHandle} handle
 */
function twoStepBuyer(version, words, handle) {
  const queue = Queue.attach(Order, handle);
  /** @param {import('../../dist/index.js').Infer<typeof Order>} order */
  return async (order) => {
    const item = LEFT + order.sku;
    if (version === 'look') {
      if (Atomics.load(words, item) <= 0) return 'sold-out';
      await nextTurn();
      Atomics.sub(words, item, 1);
    } else if (!takeOne(words, item)) {
      return 'sold-out';
    }
    await nextTurn();
    if (queue.tryPush(order)) return 'admitted';
    if (version === 'rollback') Atomics.add(words, item, 1);
    return 'queue-full';
  };
}

/** @param {Int32Array} words @param {number} item */
function takeOne(words, item) {
  for (;;) {
    const left = Atomics.load(words, item);
    if (left <= 0) return false;
    if (Atomics.compareExchange(words, item, left, left - 1) === left) return true;
  }
}

/** @param {import('../../dist/index.js').GateHandle} handle */
function gateBuyer(handle) {
  const gate = Gate.attach(Order, handle);
  /** @param {import('../../dist/index.js').Infer<typeof Order>} order */
  return async (order) => {
    await nextTurn();
    return gate.admit(order).outcome;
  };
}

/**
 * @typedef {object} Load
 * @property {number} attempts
 * @property {number} units of each item
 * @property {number} capacity of the queue
 * @property {number} generations how often all threads are terminated: each time after an equal part of the attempts
 * @property {number} consumedFrom the share of the attempts that are made before the consumer begins
 */

/** @param {Version} version @param {Load} load */
async function run(version, { attempts, units, capacity, generations, consumedFrom }) {
  const words = new Int32Array(new SharedArrayBuffer(4 * (LEFT + ITEMS))).fill(units, LEFT);
  const queue = Queue.create(Order, { capacity });
  const items = Array.from({ length: ITEMS }, (_, sku) => ({ sku, quantity: units }));
  const stock = Stock.create({ items, holdMs: 3_600_000 });
  const gate = Gate.create({ queue, stock, fields: { sku: 'sku', quantity: 'quantity' } });
  const delivered = new Array(ITEMS).fill(0);
  /** @param {{ sku: number }} order */
  const deliver = async ({ sku }) => {
    await nextTurn();
    delivered[sku]++;
  };
  const consume = async () => {
    await attempted(words, attempts * consumedFrom);
    if (version === 'gate') await gate.consume(deliver, { batchSize: 4 });
    else await queue.consume(([order]) => deliver(/** @type {{ sku: number }} */ (order)), { batchSize: 1 });
  };
  const consumed = consume();

  const handle = version === 'gate' ? gate.handle : queue.handle;
  for (let generation = 1; generation <= generations; generation++) {
    const threads = Array.from({ length: THREADS }, () =>
      thread(import.meta.url, 'buyers', { version, words, handle, rush: attempts / ITEMS }),
    );
    // Waits for the attempts of the generations so far, and for twice as many more as can be in progress at one time,
    // to let the last item have its rush, too.
    await attempted(words, (attempts * generation) / generations + 2 * THREADS * BUYERS);
    await Promise.all(threads.map((one) => one.terminate()));
  }
  queue.close();
  await consumed;

  const left = items.map(({ sku }) =>
    version === 'gate' ? stock.counts(sku).available : Atomics.load(words, LEFT + sku),
  );
  const sum = (/** @type {number[]} */ values) => values.reduce((a, b) => a + b, 0);
  gate[Symbol.dispose]();
  stock[Symbol.dispose]();
  queue[Symbol.dispose]();
  return {
    oversold: sum(delivered.map((count) => Math.max(0, count - units))),
    ghosts: sum(left.map((count, sku) => units - count - delivered[sku])),
    delivered: sum(delivered),
  };
}

/** @param {Int32Array} words @param {number} count */
async function attempted(words, count) {
  while (Atomics.load(words, ATTEMPTS) < count) await nextTurn();
}

/** @typedef {Awaited<ReturnType<typeof run>>} Ran */
/** @typedef {{ twoSteps: Ran[], gate: Ran[] }} Runs */

/** @returns {Runs} */
const newRuns = () => ({ twoSteps: [], gate: [] });

/** @param {import('./trap.js').Settings} settings @returns {Promise<import('./trap.js').Measured>} */
async function measure({ quick, rounds }) {
  const attempts = quick ? 2_000 : 10_000;
  const units = quick ? 5 : 25;
  const soldOut = { attempts, units, capacity: LARGE, generations: 1, consumedFrom: 0 };
  const full = { attempts, units, capacity: SMALL, generations: 1, consumedFrom: 0.5 };
  const dying = { attempts, units: attempts, capacity: SMALL, generations: quick ? 2 : 3, consumedFrom: 0 };
  const oversold = newRuns();
  const ghosts = newRuns();
  const ghostsOfTheDead = newRuns();
  for (let round = 0; round < rounds; round++) {
    oversold.twoSteps.push(await run('look', soldOut));
    oversold.gate.push(await run('gate', soldOut));
    ghosts.twoSteps.push(await run('look', full));
    ghosts.gate.push(await run('gate', full));
    ghostsOfTheDead.twoSteps.push(await run('rollback', dying));
    ghostsOfTheDead.gate.push(await run('gate', dying));
  }
  const gates = [oversold, ghosts, ghostsOfTheDead].flatMap(({ gate }) => gate);
  /** @type {(id: string, what: string, runs: Runs, of: 'oversold' | 'ghosts') => import('./trap.js').Figure} */
  const figure = (id, what, { twoSteps, gate }, of) => ({
    id,
    what,
    unit: 'count',
    naive: twoSteps.map((one) => one[of]),
    sluice: gate.map((one) => one[of]),
  });
  return {
    figures: [
      figure('oversold', `units oversold, of ${units * ITEMS}: look, then take`, oversold, 'oversold'),
      figure('ghosts-full', 'ghost deductions: queue full, no roll-back', ghosts, 'ghosts'),
      figure(
        'ghosts-dead',
        `ghost deductions: roll-back, but ${THREADS * dying.generations} threads died`,
        ghostsOfTheDead,
        'ghosts',
      ),
    ],
    seen: [
      {
        claim: 'look, then take: more is sold than there was',
        holds: oversold.twoSteps.every((one) => one.oversold > 0),
      },
      {
        claim: 'no roll-back: units are deducted that no buyer bought',
        holds: ghosts.twoSteps.every((one) => one.ghosts > 0),
      },
      {
        claim: 'with roll-back: threads that died left some, too',
        holds: ghostsOfTheDead.twoSteps.every((one) => one.ghosts > 0),
      },
      {
        claim: 'gate: nothing oversold, no ghost, with dying threads and without',
        holds: gates.every((one) => one.oversold === 0 && one.ghosts === 0),
      },
      {
        claim: 'gate: sold all there was',
        holds: oversold.gate.every(({ delivered }) => delivered === units * ITEMS),
      },
    ],
  };
}

await runTrap(import.meta.url, { title, measure, roles: { buyers } });
