import { channel } from 'node:diagnostics_channel';
import { EventEmitter } from 'node:events';
import { byNumber, dropReasons } from '../binding/index.js';
import { optionError } from '../input/index.js';

/** Why a record left the queue without being consumed. */
export type DropReason = 'expired' | 'oldest' | 'shed';
const reasons: readonly (DropReason | undefined)[] = byNumber(
  dropReasons satisfies Record<DropReason, number>,
);

/** The events of `Queue.on`, and what their listeners get. */
export interface QueueEvents<T> {
  /** A record's time ran out before it was consumed. Emitted in the thread that consumes. */
  expired: [record: T];
  /** A record was dropped: by 'drop-oldest' ('oldest') or by shedding ('shed'). Emitted in the thread that consumes. */
  dropped: [record: T, reason: DropReason];
  /** The queue takes no more records. Emitted in every thread that listens. */
  closed: [];
}

const events = ['expired', 'dropped', 'closed'];

/** Messages are made and published only while a channel has subscribers. */
const channels = {
  full: channel('sluice:queue:full'),
  expired: channel('sluice:queue:expired'),
  dropped: channel('sluice:queue:dropped'),
  closed: channel('sluice:queue:closed'),
  waiterRefused: channel('sluice:queue:waiter-refused'),
};

/** Reports the events of one queue object to its listeners, and to subscribers of `diagnostics_channel`. */
export class Events<T> {
  readonly #emitter = new EventEmitter();
  readonly #queue: object;
  #isClosedEmitted = false;

  constructor(queue: object) {
    this.#queue = queue;
  }

  on(event: string, listener: unknown): void {
    check('Queue.on', event, listener);
    this.#emitter.on(event, listener);
    if (event === 'closed' && this.#isClosedEmitted) queueMicrotask(() => this.#emitLate(listener));
  }

  off(event: string, listener: unknown): void {
    check('Queue.off', event, listener);
    this.#emitter.off(event, listener);
  }

  /** Whether a listener still waits for 'closed'. */
  get wantsClosed(): boolean {
    return !this.#isClosedEmitted && this.#emitter.listenerCount('closed') > 0;
  }

  /** Whether a listener or a subscriber wants the records that are dropped. */
  get wantsDropped(): boolean {
    return (
      this.#emitter.listenerCount('expired') > 0 ||
      this.#emitter.listenerCount('dropped') > 0 ||
      channels.expired.hasSubscribers ||
      channels.dropped.hasSubscribers
    );
  }

  dropped(record: T, reasonNumber: number): void {
    const reason = reasons[reasonNumber] as DropReason;
    const published = reason === 'expired' ? channels.expired : channels.dropped;
    if (published.hasSubscribers) published.publish({ queue: this.#queue, record, reason });
    if (reason === 'expired') this.#emit('expired', record);
    else this.#emit('dropped', record, reason);
  }

  full(lane: number): void {
    if (channels.full.hasSubscribers) channels.full.publish({ queue: this.#queue, lane });
  }

  waiterRefused(lane: number): void {
    if (channels.waiterRefused.hasSubscribers) channels.waiterRefused.publish({ queue: this.#queue, lane });
  }

  /** Emits 'closed', once. */
  closed(): void {
    if (this.#isClosedEmitted) return;
    this.#isClosedEmitted = true;
    if (channels.closed.hasSubscribers) channels.closed.publish({ queue: this.#queue });
    this.#emit('closed');
  }

  /**
   * Calls every listener, even if another one throws. An error that a listener throws becomes an uncaught exception. It
   * does not fail the call that emits, which has more records to report or has closed the queue already.
   */
  #emit(event: string, ...values: unknown[]): void {
    for (const listener of this.#listeners(event)) call(listener, values);
  }

  /** Calls a listener that was added after 'closed' was emitted, unless it was removed meanwhile. */
  #emitLate(listener: Listener): void {
    if (this.#listeners('closed').includes(listener)) call(listener, []);
  }

  /**
   * Calls rawListeners(), because listeners() takes a property `listener` of Object.prototype for a wrapped listener.
   */
  #listeners(event: string): Listener[] {
    return this.#emitter.rawListeners(event) as Listener[];
  }
}

type Listener = (...values: unknown[]) => void;

function call(listener: Listener, values: unknown[]): void {
  try {
    listener(...values);
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}

function check(where: string, event: string, listener: unknown): asserts listener is Listener {
  if (!events.includes(event))
    throw optionError(`${where}: event`, `one of ${events.join(', ')}`, event, true);
  if (typeof listener !== 'function') throw optionError(`${where}: listener`, 'a function', listener, true);
}
