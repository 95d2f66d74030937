// @ts-check
import { AdmissionDesk } from './admission-desk.js';
import { collectBooks, findProblems } from './books.js';
import { CashierCrew } from './crew.js';
import { openDashboard } from './dashboard.js';
import { Interruption } from './interruption.js';
import { watchLoop } from './loop-watch.js';
import { DurableDesk, openOverflow } from './overflow.js';
import { buildReport } from './report.js';
import { openSale } from './sale.js';
import { OrderServer } from './server.js';
import { StreamDesk } from './stream-desk.js';
import { StreamTill } from './stream-till.js';
import { trade } from './trade.js';
import { judge } from './verdicts.js';
import { WorkerThread } from './worker-thread.js';

/**
 * How long the cashier may take after the server has closed. At most a full queue of orders, and those that the cashier
 * has in hand, are left then.
 */
const LAST_ORDERS_MS = 20_000;

const BYTES_PER_KIBIBYTE = 1_024;

/**
 * Opens the sale, lets the clients in, closes it, and compares the books.
 * @param {import('./options.js').Options} options
 */
export async function runSale(options) {
  const interruption = new Interruption();
  const sale = openSale(options);
  const till =
    options.redis === undefined ? undefined : await StreamTill.open(sale, options.redis, options.chaos);
  const desk =
    till === undefined
      ? new (sale.overflow === undefined ? AdmissionDesk : DurableDesk)(sale.gate)
      : new StreamDesk(sale.gate, till);
  const server = new OrderServer((text) => desk.answer(text));
  const cashier = openTill(sale, options);
  const board = options.dashboard ? await openDashboard(sale, cashier, till) : undefined;
  try {
    await cashier.ready;
    await till?.ready;
    if (sale.overflow !== undefined) await openOverflow(sale.overflow);
    const url = await server.listen();
    const watched = watchLoop();
    const startedAt = performance.now();
    const failure = endOf(cashier);
    failure.catch(() => {}); // after the closing, a failure means nothing, and nothing listens for it
    const findings = await trade({
      urls: [url],
      options,
      interruption,
      failure,
      answered: () => server.answered,
      admitted: () => desk.admitted.length,
    }).finally(() => server.close());
    const elapsedMs = performance.now() - startedAt;
    const loop = watched();

    if (sale.overflow !== undefined) {
      await within(LAST_ORDERS_MS, sale.overflow.emptied(), 'the stored orders were not handled');
    }
    sale.queue.close();
    const cashierBooks = await within(LAST_ORDERS_MS, cashier.result, 'the cashier did not finish');
    const streamBooks = await till?.close();
    const books = collectBooks({ sale, desk, cashierBooks, streamBooks, findings, options });
    return buildReport({
      options,
      elapsedMs,
      loop,
      byStatus: server.byStatus.toJSON(),
      byOutcome: server.byOutcome.toJSON(),
      findings,
      books,
      verdicts: judge(books),
      queue: {
        capacity: sale.queue.capacity,
        highWater: sale.queue.stats().highWater,
        stored: sale.overflow?.stats().appended ?? null,
      },
      rssPeakBytes: process.resourceUsage().maxRSS * BYTES_PER_KIBIBYTE,
      problems: findProblems({ server, desk, findings, options }),
    });
  } finally {
    interruption.forget();
    board?.close();
    await cashier.terminate();
    await till?.terminate();
    await sale.dispose();
  }
}

/**
 * Starts the one cashier, or a crew of them.
 * @param {import('./sale.js').Sale} sale
 * @param {import('./options.js').Options} options
 * @returns {WorkerThread<import('./cashier.js').CashierBooks> | CashierCrew}
 */
function openTill(sale, options) {
  return options.workers === 0
    ? new WorkerThread('./cashier.js', { gate: sale.gate.handle })
    : new CashierCrew(sale, options);
}

/**
 * Rejects when the cashier ends, which it must not do while the sale is open.
 * @param {{ result: Promise<unknown> }} cashier
 * @returns {Promise<never>}
 */
async function endOf(cashier) {
  await cashier.result;
  throw new Error('the cashier ended while the sale was open');
}

/**
 * @template T
 * @param {number} deadlineMs
 * @param {Promise<T>} promise
 * @param {string} message
 * @returns {Promise<T>}
 */
async function within(deadlineMs, promise, message) {
  /** @type {NodeJS.Timeout | undefined} */
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${message} within ${deadlineMs / 1_000} s`)), deadlineMs);
  });
  try {
    return /** @type {T} */ (await Promise.race([promise, late]));
  } finally {
    clearTimeout(timer);
  }
}
