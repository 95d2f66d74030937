// @ts-check
import { Queue } from 'sluice';
import { dispatch } from 'sluice/dispatch';
import { BookLine } from './book-schema.js';
import { monotonicMs } from './clock.js';
import { CrewBook } from './crew-books.js';
import { Random } from './random.js';

/** Orders that one worker handles at a time. */
const CONCURRENCY = 4;

/** With --chaos, a worker is killed this often. */
const KILL_EVERY_MS = 400;
const KILL_SEED = 16;

const BOOK_CAPACITY = 8_192;

/**
 * The cashiers of `--workers`: a crew of worker threads that handle orders at the same time, those of one user one
 * after the other.
 */
export class CashierCrew {
  /** @type {import('sluice/dispatch').Crew<import('sluice').Infer<typeof import('./order-schema.js').Order>>} */
  #crew;
  #book = Queue.create(BookLine, { capacity: BOOK_CAPACITY });
  #written = new CrewBook();
  /** @type {Promise<void>} */
  #read;
  /** @type {NodeJS.Timeout | undefined} */
  #chaos;

  /** @type {Promise<void>} */
  ready;

  /** @type {Promise<import('./cashier.js').CashierBooks>} */
  result;

  /**
   * @param {import('./sale.js').Sale} sale
   * @param {{ workers: number, chaos: boolean }} options
   */
  constructor(sale, { workers, chaos }) {
    this.#crew = dispatch(sale.gate, {
      workers,
      concurrency: CONCURRENCY,
      handler: new URL('cashier-handler.js', import.meta.url),
      data: this.#book.handle,
      by: (order) => order.user,
      deadLetters: ({ reservation }) => {
        this.#readAll();
        this.#written.bury(reservation ?? 0n, monotonicMs());
      },
    });
    this.#read = this.#book.consume((lines) => {
      for (const line of lines) this.#written.write(line);
    });
    this.ready = this.#crew.ready;
    this.result = this.#end(sale, workers);
    this.result.catch(() => {}); // as in WorkerThread
    if (chaos) {
      const random = new Random(KILL_SEED);
      this.#chaos = setInterval(() => this.#crew.replace(random.below(workers)), KILL_EVERY_MS);
    }
  }

  stats() {
    return this.#crew.stats();
  }

  async terminate() {
    clearInterval(this.#chaos);
    await this.#crew.close({ timeoutMs: 0 });
    this.#book.close();
    await this.#read.catch(() => {});
    this.#book[Symbol.dispose]();
  }

  #readAll() {
    for (const line of this.#book.popMany(BOOK_CAPACITY)) this.#written.write(line);
  }

  /**
   * @param {import('./sale.js').Sale} sale
   * @param {number} workers
   */
  async #end(sale, workers) {
    await this.#crew.done.finally(() => clearInterval(this.#chaos));
    this.#book.close();
    await this.#read;
    const handled = this.#written.close((reservation) => sale.stock.find({ reservation })?.state);
    const { again, unwitnessed } = this.#written;
    const { deaths, handled: count, deadLettered } = this.#crew.stats();
    /** @type {import('./crew-books.js').CrewBooks} */
    const crew = {
      workers,
      concurrency: CONCURRENCY,
      deaths,
      handled: count,
      deadLettered,
      again,
      unwitnessed,
    };
    return { handled, crew };
  }
}
