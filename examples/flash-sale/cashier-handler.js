// @ts-check
import { Queue } from 'sluice';
import { BookLine } from './book-schema.js';
import { monotonicMs } from './clock.js';
import { Payments } from './payments.js';

/** How long a line may wait for room in the book, which the main thread reads all the time. */
const BOOK_MS = 10_000;

const payments = new Payments();

/** @type {import('sluice').Queue<BookLine>} */
let book;

/** @param {import('sluice').QueueHandle} handle */
export function setup(handle) {
  book = Queue.attach(BookLine, handle);
}

/**
 * Charges an order and decides it. Each worker of the crew imports this module.
 * @param {import('sluice').Infer<typeof import('./order-schema.js').Order>} order
 * @param {import('sluice').Hold} hold
 */
export default async function charge({ orderId: id, user, sku, quantity, admittedAt }, hold) {
  /** @param {BookLine['event']} event @param {boolean} paid @param {string} result */
  const write = (event, paid, result) => {
    const { reservation = 0n } = hold;
    const line = { reservation, id, user, sku, quantity, event, paid, result, admittedAt, at: monotonicMs() };
    if (!book.pushSync(line, BOOK_MS)) throw new Error('nobody reads the book');
  };
  write('taken', false, '');
  const paid = await payments.charge(id);
  write('charged', paid, '');
  write('decided', paid, paid ? hold.confirm() : hold.cancel());
}
