/**
 * A crew of worker threads that handles the orders of a gate or a queue.
 *
 * @module sluice/dispatch
 */
import type { Gate } from '../gate/index.js';
import type { Queue } from '../queue/index.js';
import { Crew } from './crew.js';
import { checkedDispatch, type DispatchOptions } from './options.js';
import { sourceOf } from './source.js';

export type { BackoffOptions } from '../backoff.js';
export type { Hold } from '../gate/index.js';
export type { Closed, Crew } from './crew.js';
export { type DeadFields, type DeadLetter, type DeadLetters, deadLetterRecord } from './dead-letters.js';
export type { CloseOptions, DispatchOptions } from './options.js';
export type { Unfinished } from './router.js';
export type { CrewStats, WorkerStats } from './stats.js';

/**
 * Handles the orders of a gate or a queue in worker threads: a handler module that each worker imports is called with
 * each order and its hold, as `gate.consume` calls its handler. When the handler returns (or its promise resolves), the
 * order is confirmed. When it throws, the order waits and is handed out again; after `retries.max` times it goes to the
 * dead letters, and its reservation is cancelled.
 *
 * Each order is handed out at least once. A worker that ends in any way is replaced. The orders that its handlers were
 * given are handed out again, with `hold.deliveries` one higher, unless they were decided. Each death repeats at most
 * as many orders as one worker handles at a time (`concurrency`). From then on such an order has a worker to itself: if
 * it ends that worker too, it takes no other order with it, and it goes to the dead letters in the end.
 *
 * With `by`, the orders of one key are handled one after the other, in their order, also when one of them fails: the
 * later ones wait until it is handled, or dead. As long as an order of a key is not finished, all go to one worker.
 *
 * The calling thread is the consumer: it takes an order only when a worker has a place for it, renews the holds of all
 * orders in hand, and keeps what waits, at most `maxInHand` orders. The call returns at once; see `Crew.ready` and
 * `Crew.done`.
 *
 * @param source The gate or the queue. As long as the crew runs, no other consumer may take its orders.
 * @param options The number of workers, the handler's module, the dead letters, and other options.
 * @returns The crew.
 * @throws TypeError, RangeError (`ERR_SLUICE_OPTION`) naming a bad, missing or unknown option; SluiceError
 *   `ERR_SLUICE_MEMORY`.
 * @example
 * const crew = dispatch(gate, {
 *   workers: 4,
 *   handler: new URL('./charge.js', import.meta.url), // export default async (order, hold) => {}
 *   by: (order) => order.user,
 *   deadLetters: (letter) => log.error(letter),
 * });
 * await crew.done;
 */
export function dispatch<T>(source: Gate<T> | Queue<T>, options: DispatchOptions<T>): Crew<T> {
  const from = sourceOf<T>(source);
  return new Crew(checkedDispatch(from, options), from);
}
