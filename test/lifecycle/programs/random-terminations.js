// random-terminations.js <seed> <push | admit> <count>: terminates `count` workers at random moments while they push or
// admit. What they pushed arrives whole and in order, all objects still work, and their counts are right in the end.
import { once } from 'node:events';
import { setImmediate as immediate } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { SeededRandom } from '../../seeded-random.js';
import { expectWorking, newGate } from './order.js';

const [seed, manner, count] = process.argv.slice(2);
const terminations = Number(count);
const atATime = 4;
const random = new SeededRandom(Number(seed));
const gate = newGate(64);
const { queue, stock, limiter } = gate;

/** @type {number[]} the last sequence number of each producer */
const last = [];
let arrived = 0;
function take() {
  queue.drain(({ producer, sequence, id, quantity }) => {
    if (id !== ((BigInt(producer) << 32n) | BigInt(sequence)) || quantity !== 1)
      throw new Error(`torn: ${id}`);
    if (sequence <= (last[producer] ?? -1))
      throw new Error(`producer ${producer}: ${sequence} after ${last[producer]}`);
    last[producer] = sequence;
    arrived++;
  }, 1_000);
}

async function lifeOfOne(producer) {
  const activity = manner === 'admit' ? 'admitting' : 'pushing';
  const worker = new Worker(new URL('./busy-worker.js', import.meta.url), {
    workerData: { handle: gate.handle, activity, producer },
  });
  await once(worker, 'message');
  for (let turns = random.below(60); turns > 0; turns--) await immediate();
  await worker.terminate();
}

let started = 0;
let running = 0;
while (started < terminations || running > 0) {
  while (started < terminations && running < atATime) {
    running++;
    void lifeOfOne(started++).then(() => running--);
  }
  // Admitted orders stay held, and the ledger has room for 20,000. So after 15,000 orders this takes no more: the queue
  // gets full, and then no more are admitted.
  if (arrived < 15_000 || manner === 'push') take();
  await immediate();
}
while (queue.depth > 0) {
  const before = queue.depth;
  take();
  if (queue.depth === before) throw new Error(`wedged: ${before} records that never become readable`);
}
const { pushed, popped } = queue.stats();
if (pushed !== arrived || popped !== arrived)
  throw new Error(`${arrived} arrived of ${pushed} pushed, ${popped} popped`);
if (manner === 'admit') {
  const books = {
    admitted: gate.stats().admitted,
    reserved: stock.stats().reserved,
    allowed: limiter.stats().allowed,
  };
  if (Object.values(books).some((number) => number !== pushed))
    throw new Error(`${pushed} pushed: ${JSON.stringify(books)}`);
  if (limiter.stats().inFlight !== pushed)
    throw new Error(`${limiter.stats().inFlight} in flight, ${pushed} pushed`);
}
stock.audit();
await expectWorking(gate);
console.log('ok');
