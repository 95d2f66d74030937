import { setImmediate as immediate, setTimeout as sleep } from 'node:timers/promises';
import { threadId } from 'node:worker_threads';
import { Queue } from 'sluice';
import { Entry, lateAnswers } from '../work.js';

/** @type {import('sluice').Queue<import('../work.js').Entry>} */
let book;

/** @param {import('sluice').QueueHandle} handle */
export function setup(handle) {
  book = Queue.attach(Entry, handle);
  write('setup', 0, 0, 0);
}

export function teardown() {
  write('teardown', 0, 0, 0);
}

/**
 * @param {import('../work.js').Entry['event']} event
 * @param {number} id
 * @param {number} key
 * @param {number} deliveries
 */
function write(event, id, key, deliveries) {
  if (!book.pushSync({ event, id, key, deliveries, thread: threadId }, 20_000))
    throw new Error('the book is full');
}

/** @param {import('../work.js').Work} order @param {import('sluice').Hold} hold */
export default async function handle({ id, key, act, times }, hold) {
  write('begin', id, key, hold.deliveries);
  if (hold.deliveries <= times) await acts[act](hold);
  await immediate();
  write('end', id, key, hold.deliveries);
}

/** @type {Record<import('../work.js').Work['act'], (hold: import('sluice').Hold) => unknown>} */
const acts = {
  return: () => {},
  throw: (hold) => {
    throw Object.assign(new RangeError(`delivery ${hold.deliveries} fails`), { code: 'E_TEST' });
  },
  exit: () => process.exit(3),
  uncaught: () => {
    setImmediate(() => {
      throw new RangeError('nobody catches this');
    });
    return new Promise(() => {});
  },
  'out-of-memory': () => {
    const hoard = [];
    for (;;) hoard.push(new Array(100_000).fill(hoard.length));
  },
  block: () => {
    for (;;);
  },
  hang: (hold) =>
    new Promise((_, reject) =>
      hold.signal.addEventListener('abort', () => {
        reject(hold.signal.reason);
        setImmediate(decidesTooLate, hold);
      }),
    ),
  'decide-and-exit': (hold) => {
    hold.confirm();
    process.exit(4);
  },
  cancel: (hold) => hold.cancel(),
  part: (hold) => mustBe([hold.confirm({ quantity: 1 }), hold.confirm()], ['confirmed', 'already-confirmed']),
  twice: (hold) => mustBe([hold.cancel(), hold.confirm()], ['cancelled', 'already-cancelled']),
  sleep: () => sleep(50),
  'late-return': (hold) => decidesLater(hold),
  'late-throw': (hold) => {
    decidesLater(hold);
    throw new Error('before it has decided');
  },
};

/** @param {import('sluice').Hold} hold decided by no one until its handler has ended, and then twice */
function decidesLater(hold) {
  setTimeout(decidesTooLate, 20, hold);
}

/** @param {unknown[]} answers @param {string[]} expected */
function mustBe(answers, expected) {
  if (answers.join() !== expected.join()) throw new Error(`${answers} in place of ${expected}`);
}

/**
 * Decides an order that is out of the handler's hands, and writes both answers down.
 *
 * @param {import('sluice').Hold} hold
 */
function decidesTooLate(hold) {
  for (const decide of [() => hold.confirm(), () => hold.cancel()]) {
    let answer = 'another';
    try {
      answer = decide();
    } catch {
      // It is written down as another answer.
    }
    write(
      'late',
      lateAnswers.findIndex((known) => known === answer || known === 'another'),
      0,
      0,
    );
  }
}
