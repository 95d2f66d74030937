// Ends each call of the WebAssembly face at each point at which V8 may end a thread: in turn at the first one that the
// call comes to, at the second, and so on. After each end the queue must be whole: every record that was pushed can be
// consumed, exactly the capacity fits in, and a thread that sleeps is woken once the session that was ended is over.
//
// With the argument 'broken', the points also lie before each atomic store, as if a step of a push were a function of
// its own. Then the program must find a queue that is not whole.
import { setTimeout as after } from 'node:timers/promises';
import { hook, op, withHooks } from '../../../scripts/wasm-code.js';

const isBroken = process.argv[2] === 'broken';
let pointsLeft = Number.POSITIVE_INFINITY;
class Ended extends Error {}

const { Module, Instance } = WebAssembly;
/** Compiles the module with a hook at each point. @this {unknown} @param {Uint8Array} bytes */
function HookedModule(bytes) {
  return new Module(
    withHooks(bytes, ({ code }, i) => (isBroken && code[i]?.op === op.atomicStore ? hook : [])),
  );
}
/** @this {unknown} @param {WebAssembly.Module} module @param {object} imports */
function HookedInstance(module, imports) {
  return new Instance(module, { ...imports, system: { hook: passed } });
}
HookedInstance.prototype = Instance.prototype;
Object.assign(WebAssembly, { Module: HookedModule, Instance: HookedInstance });

function passed() {
  pointsLeft -= 1;
  if (pointsLeft === 0) throw new Ended();
}

const { Queue, record, u32, u64 } = await import('../../../dist/index.js');
const Row = record({ number: u32, copy: u64 });
/** @typedef {import('sluice').Queue<{ number: number, copy: bigint }>} RowQueue */
const CAPACITY = 6; // of eight slots, so that runs of records go over the end of the ring
const row = (/** @type {number} */ number) => ({ number, copy: BigInt(number) });
const rows = (/** @type {number} */ from, /** @type {number} */ count) =>
  Array.from({ length: count }, (_, i) => row(from + i));

/** @type {string[]} */
const faults = [];
let ends = 0;

/** @param {string} what @param {boolean} holds @param {unknown} detail */
function require(what, holds, detail) {
  if (!holds) faults.push(`${what}: ${JSON.stringify(detail)}`);
}

/**
 * Makes the call with an end at point `point`. Returns whether the call came to that point.
 * @param {() => unknown} call @param {number} point
 */
function endsAt(call, point) {
  pointsLeft = point;
  try {
    const answer = call();
    if (answer instanceof Promise) answer.catch(mustBeEnd);
  } catch (error) {
    mustBeEnd(error);
  }
  const ended = pointsLeft <= 0;
  pointsLeft = Number.POSITIVE_INFINITY;
  if (ended) ends += 1;
  return ended;
}

/** Throws any other error than that of an end, or of a wait that was disposed of. @param {unknown} error */
function mustBeEnd(error) {
  const isDisposed = /** @type {{ code?: string }} */ (error).code === 'ERR_SLUICE_DISPOSED';
  if (!(error instanceof Ended || isDisposed)) throw error;
}

/**
 * Checks that the queue is whole, and empties it. `from`: the first record that it may contain.
 * @param {string} what @param {RowQueue} queue @param {number} from
 */
function checkWhole(what, queue, from) {
  const { depth } = queue;
  const left = [];
  for (let one = queue.tryPop(); one !== undefined; one = queue.tryPop()) left.push(one);
  require(`${what}: all of the depth can be consumed`, left.length === depth, [left.length, depth]);
  const numbers = left.map(({ number }) => number);
  const isRun = numbers.every((number, i) => number >= from && number === (numbers[0] ?? 0) + i);
  require(`${what}: the records follow each other`, isRun, numbers);
  require(`${what}: records are whole`, left.every(({ number, copy }) => BigInt(number) === copy), numbers);
  let fit = 0;
  while (fit <= CAPACITY && queue.tryPush(row(fit))) fit += 1;
  require(`${what}: exactly the capacity fits in`, fit === CAPACITY, fit);
  require(`${what}: it is emptied again`, queue.popMany(64).length === CAPACITY, queue.depth);
  const { pushed, popped } = queue.stats();
  require(`${what}: what was pushed has left`, pushed === popped, [pushed, popped]);
}

/** @type {Array<{ name: string, filled: number, call: (queue: RowQueue) => unknown }>} */
const calls = [0, 3, 5, 6].flatMap((filled) => [
  { name: 'tryPush', filled, call: (/** @type {RowQueue} */ queue) => queue.tryPush(row(100 + filled)) },
  { name: 'push', filled, call: (queue) => queue.push(row(100 + filled)) },
  { name: 'tryPushMany', filled, call: (queue) => queue.tryPushMany(rows(100 + filled, 4)) },
  { name: 'tryPop', filled, call: (queue) => queue.tryPop() },
  { name: 'popMany', filled, call: (queue) => queue.popMany(4) },
  { name: 'drain one', filled, call: (queue) => queue.drain(() => {}, 1) },
  { name: 'drain', filled, call: (queue) => queue.drain(() => {}) },
]);

for (const { name, filled, call } of calls) {
  for (const start of [0, 3, 6]) {
    for (let point = 1; ; point++) {
      const queue = Queue.create(Row, { capacity: CAPACITY });
      if (queue.stats().path !== 'wasm') throw new Error('the queue does not use WebAssembly');
      queue.tryPushMany(rows(0, start));
      queue.drain(() => {}, 64); // makes this object the consumer, and lets drain(visit, 1) take its short way
      queue.tryPushMany(rows(100, filled));
      const ended = endsAt(() => call(queue), point);
      if (ended) checkWhole(`${name} of ${filled} from ${start} at point ${point}`, queue, 100);
      queue[Symbol.dispose]();
      if (!ended) break;
    }
  }
}

/** Resolves to whether the promise is settled within five seconds. @param {Promise<unknown>} promise */
const settles = (promise) => Promise.race([promise.then(() => true), after(5_000, false, { ref: false })]);

// A consumer that sleeps is rung when the session whose push was ended is over.
for (const [name, push] of /** @type {const} */ ([
  ['tryPush', (/** @type {RowQueue} */ queue) => queue.tryPush(row(1))],
  ['push', (/** @type {RowQueue} */ queue) => queue.push(row(1))],
  ['tryPushMany', (/** @type {RowQueue} */ queue) => queue.tryPushMany(rows(1, 2))],
])) {
  for (let point = 1; ; point++) {
    const queue = Queue.create(Row, { capacity: CAPACITY });
    const producer = Queue.attach(Row, queue.handle);
    let got = 0;
    const consumed = queue.consume((batch) => {
      got += batch.length;
      queue.close();
    });
    await after(1); // the consumer sleeps now
    const ended = endsAt(() => push(producer), point);
    const pushed = queue.stats().pushed;
    producer[Symbol.dispose]();
    if (pushed === 0) queue.close();
    require(`${name} at point ${point}: the consumer wakes up`, await settles(consumed), got);
    require(`${name} at point ${point}: the consumer gets all`, got === pushed, [got, pushed]);
    queue[Symbol.dispose]();
    if (!ended) break;
  }
}

// Waiters for room, and for an empty queue, are served when the session whose take was ended is over.
for (const [name, take] of /** @type {const} */ ([
  ['tryPop', (/** @type {RowQueue} */ queue) => queue.tryPop()],
  ['popMany', (/** @type {RowQueue} */ queue) => queue.popMany(6)],
  ['drain one', (/** @type {RowQueue} */ queue) => queue.drain(() => {}, 1)],
  ['drain', (/** @type {RowQueue} */ queue) => queue.drain(() => {})],
])) {
  for (let point = 1; ; point++) {
    const queue = Queue.create(Row, { capacity: CAPACITY });
    const consumer = Queue.attach(Row, queue.handle);
    consumer.drain(() => {});
    queue.tryPushMany(rows(0, CAPACITY));
    const waiter = queue.push(row(9));
    const ended = endsAt(() => take(consumer), point);
    const freed = queue.stats().popped > 0;
    consumer[Symbol.dispose]();
    if (!freed) queue.tryPop();
    require(`${name} at point ${point}: the waiter gets room`, await settles(waiter), freed);
    const empty = queue.empty();
    while (queue.tryPop() !== undefined);
    require(`${name} at point ${point}: it gets empty`, await settles(empty), queue.depth);
    queue[Symbol.dispose]();
    if (!ended) break;
  }
}

for (const fault of faults.slice(0, 20)) console.log(fault);
console.log(`${ends} ends`);
const wedged = ['tryPush', 'tryPushMany'].filter((name) =>
  faults.some((fault) => fault.startsWith(`${name} of`)),
);
console.log(faults.length === 0 ? 'ok' : `not whole: ${wedged.join(' and ')}`);
