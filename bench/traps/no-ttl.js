/**
 * Trap 8: requests without a deadline.
 *
 * A client waits for a limited time. Then it disconnects, and the shopper presses the button again. The first request
 * is still in the server's queue. A server that does not check handles it in vain when its turn comes. That takes time
 * from requests whose clients still wait, and when their turn comes, those clients have left, too. From then on the
 * server is fully busy and answers no client: every request that it handles is a zombie. The overload that began this
 * may be long over; the backlog alone keeps it going.
 *
 * sluice: a record may have a time to live (`ttlMs`), from its push. A late record is not delivered but counted
 * (`stats().expired`), at the price of a comparison; a client that has left costs no work. The queue compares when the
 * record's turn comes, by the monotonic clock, so a blocked event loop cannot miss the deadline as it misses a timer.
 *
 * The trap has an HTTP server that handles an order in 5 ms, and clients in another thread, which come in waves larger
 * than the server can handle and send a header with the time that they wait. Both versions get the same waves.
 */
import { once } from 'node:events';
import { Agent, createServer, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { parentPort } from 'node:worker_threads';
import { Queue, record, u32 } from '../../dist/index.js';
import { answerOf, runTrap, thread } from './trap.js';

const CAPACITY = 4_096;
const HANDLING_MS = 5;
const PATIENCE_MS = 400;
/** The part of a client's waiting time that the way to the server, the work and the way back may take. */
const MARGIN = 0.1;
const WAVE = 120; // takes 600 ms to handle: longer than any client waits
const WAVE_EVERY_MS = 500;
const title = 'Requests without a deadline: worked off for clients that have left, or expired in their turn';

const Order = record({ number: u32 });

/** @typedef {import('node:http').ServerResponse} Response */
/**
 * @typedef {{ add: (number: number, waitsMs: number) => boolean, close: () => Promise<void>, expired: () => number }}
 * Version
 */

/** An array and a loop. @param {(number: number) => Promise<void>} handle @returns {Version} */
function naive(handle) {
  /** @type {number[]} */
  const orders = [];
  let wake = () => {};
  let closed = false;
  const consumed = (async () => {
    for (;;) {
      const number = orders.shift();
      if (number !== undefined) await handle(number);
      else if (closed) return;
      else
        await new Promise((/** @type {(value: void) => void} */ resolve) => {
          wake = resolve;
        });
    }
  })();
  return {
    add: (number) => {
      if (orders.length >= CAPACITY) return false;
      orders.push(number);
      wake();
      return true;
    },
    close: () => {
      closed = true;
      wake();
      return consumed;
    },
    expired: () => 0,
  };
}

/** @param {(number: number) => Promise<void>} handle @returns {Version} */
function sluice(handle) {
  const queue = Queue.create(Order, { capacity: CAPACITY, ttlMs: PATIENCE_MS });
  const consumed = (async () => {
    for await (const { number } of queue) await handle(number);
  })();
  return {
    add: (number, waitsMs) => queue.tryPush({ number }, { ttlMs: waitsMs * (1 - MARGIN) }),
    close: () => {
      queue.close();
      return consumed;
    },
    expired: () => queue.stats().expired,
  };
}

/** @param {typeof naive} version @param {number} waves */
async function run(version, waves) {
  /** @type {Response[]} */
  const waiting = [];
  const counts = { handled: 0, zombies: 0 };
  const queue = version(async (number) => {
    const response = /** @type {Response} */ (waiting[number]);
    delete waiting[number];
    if (response.destroyed) counts.zombies++;
    await sleep(HANDLING_MS);
    counts.handled++;
    response.end('done');
  });
  const server = createServer((incoming, response) => {
    const waitsMs = Number(incoming.headers['x-waits-ms']);
    const number = waiting.push(response) - 1;
    if (!queue.add(number, waitsMs)) response.writeHead(503).end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  const clients = thread(import.meta.url, 'clients', { port, waves });
  const seen = await answerOf(clients);
  await queue.close();
  await clients.terminate();
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
  return { ...counts, ...seen, received: waiting.length, expired: queue.expired() };
}

/** Waves of clients, each of which leaves when its patience is over. @param {{ port: number, waves: number }} data */
async function clients({ port, waves }) {
  const agent = new Agent({ keepAlive: false });
  const counts = { answered: 0, left: 0, refused: 0 };
  const client = async () => {
    const asked = request({ port, host: '127.0.0.1', agent, headers: { 'x-waits-ms': PATIENCE_MS } });
    /** @type {NodeJS.Timeout | undefined} */
    let timer;
    try {
      asked.end(() => {
        timer = setTimeout(() => asked.destroy(new Error('left')), PATIENCE_MS);
      });
      const [response] = await once(asked, 'response');
      response.resume();
      await once(response, 'end');
      counts[response.statusCode === 200 ? 'answered' : 'refused']++;
    } catch (error) {
      if (!(error instanceof Error) || error.message !== 'left') throw error;
      counts.left++;
    } finally {
      clearTimeout(timer);
    }
  };
  const all = [];
  for (let wave = 0; wave < waves; wave++) {
    for (let i = 0; i < WAVE; i++) all.push(client());
    await sleep(WAVE_EVERY_MS);
  }
  await Promise.all(all);
  parentPort?.postMessage(counts);
}

/** @typedef {Awaited<ReturnType<typeof run>>} Ran */

/** @param {import('./trap.js').Settings} settings @returns {Promise<import('./trap.js').Measured>} */
async function measure({ quick, rounds }) {
  const waves = quick ? 3 : 8;
  /** @type {Ran[]} */
  const plain = [];
  /** @type {Ran[]} */
  const bounded = [];
  for (let round = 0; round < rounds; round++) {
    plain.push(await run(naive, waves));
    bounded.push(await run(sluice, waves));
  }
  /** @type {(id: string, what: string, of: (one: Ran) => number, compare?: false) => import('./trap.js').Figure} */
  const figure = (id, what, of, compare) => ({
    id,
    what,
    unit: 'count',
    ...(compare === false ? { compare } : {}),
    naive: plain.map(of),
    sluice: bounded.map(of),
  });
  const all = (/** @type {Ran} */ { answered, left, refused }) => answered + left + refused === waves * WAVE;
  return {
    figures: [
      figure(
        'zombies',
        `zombies: handled after their client left, of ${waves * WAVE}`,
        ({ zombies }) => zombies,
      ),
      figure('left', 'clients that left without an answer', ({ left }) => left),
      figure('answered', 'clients answered in time', ({ answered }) => answered, false),
      figure('expired', 'expired in the queue, without any work', ({ expired }) => expired, false),
      figure('handled', 'orders handled', ({ handled }) => handled, false),
    ],
    seen: [
      { claim: 'every client was answered or left, in both', holds: [...plain, ...bounded].every(all) },
      {
        claim: 'naive: requests are handled whose clients left',
        holds: plain.every(({ zombies }) => zombies > 0),
      },
      {
        claim: 'naive: every request is handled, sooner or later',
        holds: plain.every(({ handled, received }) => handled === received),
      },
      {
        claim: 'sluice: every request is handled or expires',
        holds: bounded.every(({ handled, expired, received }) => handled + expired === received),
      },
      {
        claim: 'sluice: late requests expire, and few are begun after their clients left',
        holds: bounded.every(
          ({ expired, zombies }, i) => expired > 0 && zombies < /** @type {number} */ (plain[i]?.zombies),
        ),
      },
    ],
  };
}

await runTrap(import.meta.url, { title, measure, roles: { clients } });
