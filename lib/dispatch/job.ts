import type { Linked, LinkedList } from '../linked-list.js';
import type { KeyLine } from './key-lines.js';
import type { Seat } from './seat.js';
import type { Taken } from './source.js';

/**
 * Where an order is: 'line': behind another order of its key; 'ready': in a list of orders that may go to a worker;
 * 'out': with a worker; 'delayed': until its next attempt; 'burying': on its way to the dead letters; 'done': finished.
 */
export type Place = 'line' | 'ready' | 'out' | 'delayed' | 'burying' | 'done';

/** An order that the crew has taken from its source. */
export class Job<T> implements Linked<Job<T>> {
  previous: Job<T> | undefined;
  next: Job<T> | undefined;
  /** Names the order in the queues between the crew and its workers. */
  readonly ticket: number;
  readonly taken: Taken<T>;
  /** When the crew took the order: milliseconds since the Unix epoch. */
  readonly firstAt: number;
  readonly finish: () => void;
  place: Place = 'ready';
  /** The list that the order waits in for a worker. */
  list: LinkedList<Job<T>> | undefined;
  /** The orders of the same key; undefined without a key. */
  line: KeyLine<T> | undefined;
  /** The worker that has the order, or had it last. */
  seat: Seat<T> | undefined;
  /** How often a handler was given the order, those of earlier consumers included. */
  deliveries: number;
  /** How often the order failed here. */
  failures = 0;
  /** Whether the order was with a worker when that ended. From then on it has its worker to itself. */
  suspect = false;
  /** Whether its handler has decided it, so that it is not handed out again. */
  decided = false;

  constructor(ticket: number, taken: Taken<T>, finish: () => void) {
    this.ticket = ticket;
    this.taken = taken;
    this.firstAt = Date.now();
    this.finish = finish;
    this.deliveries = taken.earlier;
  }
}
