/**
 * Trap 1: blocked senders that leak.
 *
 * A full queue makes its senders wait. Usually, push() returns a promise, and the consumer resolves it when there is
 * room. The usual time-out is Promise.race() with a timer. The caller then gets its answer in time, but the race only
 * stops listening: the waiter stays in the list, with its promise, its callbacks and its message. While a consumer is
 * slower than the traffic, every sender that gave up stays in the list, and the list grows without end. Go has the same
 * trap: a goroutine blocked on a channel without a reader is never collected.
 *
 * Worse, these waiters still act: when there is room, their messages go in, the oldest first. The consumer works in
 * vain, and every new sender waits behind them.
 *
 * sluice: `push(order, { timeoutMs })` removes the waiter from the list when its time is over, and `maxWaiting` bounds
 * the list: one more waiter is refused at once, with `ERR_SLUICE_WAITERS`. The memory of the list is allocated at
 * creation.
 *
 * The load, in a process for each version: every 10 ms, 200 senders come, each of which waits at most 100 ms; the
 * consumer takes 20 messages in the same time. When the last sender has its answer, every waiter that is left has
 * leaked.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Queue, record, u32 } from '../../dist/index.js';
import { processOf, runTrap } from './trap.js';

const CAPACITY = 50;
const MAX_WAITING = 1_024;
const SENDERS_PER_TICK = 200;
const TAKEN_PER_TICK = 20;
const TICK_MS = 10;
const PATIENCE_MS = 100;

const title = 'Blocked senders that leak: waiting without an end, or with maxWaiting and a time-out';

/** @typedef {{ number: number, user: number }} Message */

/** A bounded queue as it is usually written: the number of waiting senders has no bound. */
class NaiveQueue {
  /** @type {Message[]} */
  #messages = [];
  /** @type {{ message: Message, resolve: () => void }[]} */
  #waiters = [];

  /** @param {Message} message @returns {Promise<void>} resolves when there was room */
  push(message) {
    if (this.#messages.length < CAPACITY) {
      this.#messages.push(message);
      return Promise.resolve();
    }
    return new Promise((resolve) => this.#waiters.push({ message, resolve }));
  }

  pop() {
    const message = this.#messages.shift();
    const next = this.#waiters.shift();
    if (next !== undefined) {
      this.#messages.push(next.message);
      next.resolve();
    }
    return message;
  }

  get waiting() {
    return this.#waiters.length;
  }
}

/**
 * The functions of a version that the load calls.
 * @typedef {object} Version
 * @property {(message: Message) => Promise<'sent' | 'late' | 'refused'>} send
 * @property {() => Message | undefined} take
 * @property {() => number} waiting
 */

/** @returns {Version} */
function naive() {
  const queue = new NaiveQueue();
  return {
    send: (message) => {
      /** @type {NodeJS.Timeout | undefined} */
      let timer;
      const late = new Promise((resolve) => {
        timer = setTimeout(resolve, PATIENCE_MS, 'late');
      });
      const sent = queue.push(message).then(() => 'sent');
      return Promise.race([sent, late]).finally(() => clearTimeout(timer));
    },
    take: () => queue.pop(),
    waiting: () => queue.waiting,
  };
}

/** @returns {Version} */
function sluice() {
  const queue = Queue.create(record({ number: u32, user: u32 }), {
    capacity: CAPACITY,
    maxWaiting: MAX_WAITING,
  });
  return {
    send: (message) =>
      queue.push(message, { timeoutMs: PATIENCE_MS }).then(
        () => 'sent',
        (error) => {
          if (error.code === 'ERR_SLUICE_TIMEOUT') return 'late';
          if (error.code === 'ERR_SLUICE_WAITERS') return 'refused';
          throw error;
        },
      ),
    take: () => queue.tryPop(),
    waiting: () => queue.stats().waiting,
  };
}

/**
 * Runs the load on one version. Writes the result as one line.
 * @param {{ version: 'naive' | 'sluice', ticks: number }} data
 */
async function load({ version, ticks }) {
  const { send, take, waiting } = version === 'naive' ? naive() : sluice();
  const senders = ticks * SENDERS_PER_TICK;
  const answers = { sent: 0, late: 0, refused: 0 };
  const gaveUp = new Uint8Array(senders);
  const answered = () => answers.sent + answers.late + answers.refused;
  const series = { atMs: [0], waiting: [0], rssBytes: [0] };
  let number = 0;
  let forNobody = 0;
  const heapBefore = heapAfterCollection();
  const started = performance.now();
  const rssBefore = process.memoryUsage.rss();

  const tick = async () => {
    for (let i = 0; i < TAKEN_PER_TICK; i++) {
      const message = take();
      if (message !== undefined && gaveUp[message.number] === 1) forNobody++;
    }
    series.atMs.push(Math.round(performance.now() - started));
    series.waiting.push(waiting());
    series.rssBytes.push(process.memoryUsage.rss() - rssBefore);
    await sleep(TICK_MS);
  };
  for (let i = 0; i < ticks; i++) {
    for (let sender = 0; sender < SENDERS_PER_TICK; sender++) {
      const message = { number: number++, user: sender };
      void send(message).then((answer) => {
        answers[answer]++;
        if (answer !== 'sent') gaveUp[message.number] = 1;
      });
    }
    await tick();
  }
  while (answered() < senders) await tick();
  const leaked = waiting();
  const heldBytes = heapAfterCollection() - heapBefore;
  for (let i = 0; i < ticks / 10; i++) await tick();
  console.log(JSON.stringify({ senders, answers, leaked, heldBytes, forNobody, series }));
}

function heapAfterCollection() {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}

/** @param {import('./trap.js').Settings} settings @returns {Promise<import('./trap.js').Measured>} */
async function measure({ quick }) {
  const ticks = quick ? 30 : 400;
  const runs = [];
  for (const version of ['naive', 'sluice']) {
    const { code, signal, lines, errors } = await processOf(
      import.meta.url,
      'load',
      { version, ticks },
      {
        execArgv: ['--expose-gc'],
      },
    );
    if (code !== 0) throw new Error(`${version} ended with ${code ?? signal}: ${errors}`);
    runs.push(lines[0]);
  }
  const [plain, bounded] = runs;
  const most = (/** @type {number[]} */ values) => Math.max(...values);
  const answered = (/** @type {typeof plain} */ run) =>
    run.answers.sent + run.answers.late + run.answers.refused;
  /**
   * @type {(id: string, what: string, unit: 'count' | 'bytes', of: (run: typeof plain) => number) =>
   * import('./trap.js').Figure}
   */
  const figure = (id, what, unit, of) => ({ id, what, unit, naive: [of(plain)], sluice: [of(bounded)] });
  const { atMs } = plain.series;
  return {
    figures: [
      figure('waiting', 'senders waiting at the most', 'count', (run) => most(run.series.waiting)),
      figure('leaked', 'waiters left when every sender has its answer', 'count', (run) => run.leaked),
      figure('for-nobody', 'messages delivered whose sender had given up', 'count', (run) => run.forNobody),
      figure('heap', 'heap that is held then, after a collection', 'bytes', (run) => run.heldBytes),
      figure('rss', 'growth of the resident set, garbage included', 'bytes', (run) =>
        most(run.series.rssBytes),
      ),
    ],
    series: [
      {
        what: 'senders waiting',
        unit: 'count',
        atMs,
        naive: plain.series.waiting,
        sluice: bounded.series.waiting,
      },
      {
        what: 'resident set',
        unit: 'bytes',
        atMs,
        naive: plain.series.rssBytes,
        sluice: bounded.series.rssBytes,
      },
    ],
    seen: [
      {
        claim: `all ${plain.senders} senders had an answer, in both`,
        holds: answered(plain) === plain.senders && answered(bounded) === plain.senders,
      },
      { claim: 'naive: of those that gave up, waiters are left', holds: plain.leaked > plain.senders / 2 },
      { claim: 'naive: the consumer gets messages of senders that gave up', holds: plain.forNobody > 0 },
      {
        claim: `sluice: never more than ${MAX_WAITING} wait`,
        holds: most(bounded.series.waiting) <= MAX_WAITING,
      },
      { claim: 'sluice: no waiter is left', holds: bounded.leaked === 0 },
      { claim: 'sluice: no message of a sender that gave up is delivered', holds: bounded.forNobody === 0 },
    ],
  };
}

await runTrap(import.meta.url, { title, measure, roles: { load } });
