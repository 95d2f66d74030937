/**
 * Trap 4: a queue without a bound.
 *
 * An array accepts every order. If orders come faster than the consumer handles them, as for minutes in a flash sale,
 * the array grows until the heap reaches its limit. V8 then collects garbage again and again, the process gets slower,
 * even more orders wait, and in the end the process dies with its queue: every order that was accepted and not yet
 * handled is lost at once, after its sender got "accepted".
 *
 * A bound turns that death into an answer: an order that finds no room is refused at once, its sender can get a 503
 * with a Retry-After, and all accepted orders will be handled. The memory of a sluice queue is allocated at its
 * creation, outside the JavaScript heap, and never grows.
 *
 * In the trap, a child process with a small heap (--max-old-space-size) accepts orders ten times as fast as it handles
 * them: once into an array, once into a queue. The operating system reports how each child ended.
 */
import { writeSync } from 'node:fs';
import { Queue, record, u16, u32, u53, utf8 } from '../../dist/index.js';
import { processOf, runTrap } from './trap.js';

const HEAP_MB = 64;
const CAPACITY = 10_000;
const ARRIVE = 1_000;
const FINISHED = 100;
const ROUNDS_PER_REPORT = 25;
const title = 'A queue without a bound, until the heap is at its limit, or with one, under the same load';

const fields = { orderId: u53, user: u32, sku: u32, quantity: u16, note: utf8(24) };

/** @typedef {{ orderId: number, user: number, sku: number, quantity: number, note: string }} Order */
/** @typedef {{ push: (order: Order) => boolean, pop: () => Order | undefined }} Version */

/** @returns {Version} */
function naive() {
  /** @type {Order[]} */
  const orders = [];
  let first = 0;
  return {
    push: (order) => orders.push(order) > 0,
    pop: () => {
      const order = orders[first++];
      if (first === 4_096) {
        orders.splice(0, first);
        first = 0;
      }
      return order;
    },
  };
}

/** @returns {Version} */
function sluice() {
  const queue = Queue.create(record(fields), { capacity: CAPACITY });
  return { push: (order) => queue.tryPush(order), pop: () => queue.tryPop() };
}

/**
 * Offers 1,000 orders in each of `rounds` rounds, unless the process dies before. It writes its progress in between, so
 * that the result is known even if the process dies.
 * @param {{ version: 'naive' | 'sluice', rounds: number }} data
 */
function load({ version, rounds }) {
  const queue = version === 'naive' ? naive() : sluice();
  let accepted = 0;
  let refused = 0;
  let finished = 0;
  for (let round = 1; round <= rounds; round++) {
    for (let i = 0; i < ARRIVE; i++) {
      const orderId = accepted + refused;
      const order = { orderId, user: orderId % 9_973, sku: 1_001, quantity: 1, note: `basket ${orderId}` };
      if (queue.push(order)) accepted++;
      else refused++;
    }
    for (let i = 0; i < FINISHED; i++) if (queue.pop() !== undefined) finished++;
    if (round % ROUNDS_PER_REPORT === 0) {
      const heapBytes = process.memoryUsage().heapUsed;
      writeSync(1, `${JSON.stringify({ accepted, refused, finished, heapBytes })}\n`);
    }
  }
  for (;;) {
    if (queue.pop() === undefined) break;
    finished++;
  }
  writeSync(1, `${JSON.stringify({ accepted, refused, finished, heapBytes: 0 })}\n`);
}

/** @param {import('./trap.js').Settings} settings @returns {Promise<import('./trap.js').Measured>} */
async function measure({ quick }) {
  const rounds = quick ? 1_000 : 5_000; // the naive child dies after about 500
  const execArgv = [`--max-old-space-size=${HEAP_MB}`];
  /** @param {'naive' | 'sluice'} version */
  const run = async (version) => {
    const child = await processOf(import.meta.url, 'load', { version, rounds }, { execArgv });
    const last = child.lines.at(-1) ?? { accepted: 0, refused: 0, finished: 0 };
    const ended = child.signal ?? `exit code ${child.code}`;
    return {
      ...child,
      last,
      ended,
      heapBytes: Math.max(0, ...child.lines.map(({ heapBytes }) => heapBytes)),
    };
  };
  const plain = await run('naive');
  const bounded = await run('sluice');
  const outOfMemory = /heap out of memory|Reached heap limit/.test(plain.errors);
  const lost = (/** @type {typeof plain} */ { last }) => last.accepted - last.finished;
  return {
    figures: [
      {
        id: 'end',
        compare: false,
        what: 'end of the process',
        unit: 'count',
        naive: plain.ended,
        sluice: bounded.ended,
      },
      {
        id: 'offered',
        compare: false,
        what: `orders offered until then, of ${rounds * ARRIVE}`,
        unit: 'count',
        naive: [plain.last.accepted + plain.last.refused],
        sluice: [bounded.last.accepted + bounded.last.refused],
      },
      {
        id: 'refused',
        compare: false,
        what: 'orders refused, whose senders know it',
        unit: 'count',
        naive: [plain.last.refused],
        sluice: [bounded.last.refused],
      },
      {
        id: 'lost',
        what: 'orders accepted and lost',
        unit: 'count',
        naive: [lost(plain)],
        sluice: [lost(bounded)],
      },
      {
        id: 'heap',
        what: `JavaScript heap at the most, of ${HEAP_MB} MB`,
        unit: 'bytes',
        naive: [plain.heapBytes],
        sluice: [bounded.heapBytes],
      },
    ],
    seen: [
      {
        claim: `naive: the process died (${plain.ended}), and V8 wrote "heap out of memory"`,
        holds: (plain.signal !== null || plain.code !== 0) && outOfMemory,
      },
      { claim: 'naive: accepted orders were lost with it', holds: lost(plain) > 0 },
      {
        claim: 'sluice: the process ended by itself after the whole load',
        holds: bounded.code === 0 && bounded.last.accepted + bounded.last.refused === rounds * ARRIVE,
      },
      {
        claim: 'sluice: every accepted order was finished',
        holds: lost(bounded) === 0 && bounded.last.accepted > 0,
      },
    ],
  };
}

await runTrap(import.meta.url, { title, measure, roles: { load } });
