import { channel } from 'node:diagnostics_channel';
import { EventEmitter } from 'node:events';
import { byNumber, dropReasons } from '../binding/index.js';
import { optionError } from '../input/index.js';

/** Why a record left the queue without being consumed. */
export type DropReason = 'expired' | 'oldest' | 'shed';
const reasons: readonly (DropReason | undefined)[] = byNumber(
  dropReasons satisfies Record<DropReason, number>,
);

/** What `Queue.on` can be asked for, and what its listeners get. */
export interface QueueEvents<T> {
  /** A record's time ran out before it was consumed. Told in the thread that consumes. */
  expired: [record: T];
  /** A record was dropped: by 'drop-oldest' ('oldest') or by shedding ('shed'). Told in the thread that consumes. */
  dropped: [record: T, reason: DropReason];
  /** The queue takes no more records. Told in every thread that listens. */
  closed: [];
}

const events = ['expired', 'dropped', 'closed'];

/** Published only while somebody subscribes. */
const channels = {
  full: channel('sluice:queue:full'),
  expired: channel('sluice:queue:expired'),
  dropped: channel('sluice:queue:dropped'),
  closed: channel('sluice:queue:closed'),
  waiterRefused: channel('sluice:queue:waiter-refused'),
};

/** Tells listeners of one queue object, and the subscribers of `diagnostics_channel`, what happens to its records. */
export class Events<T> {
  readonly #emitter = new EventEmitter();
  readonly #queue: object;
  #toldClosed = false;

  constructor(queue: object) {
    this.#queue = queue;
  }

  on(event: string, listener: unknown): void {
    check('Queue.on', event, listener);
    this.#emitter.on(event, listener);
    if (event === 'closed' && this.#toldClosed) queueMicrotask(() => this.#tellLate(listener));
  }

  off(event: string, listener: unknown): void {
    check('Queue.off', event, listener);
    this.#emitter.off(event, listener);
  }

  /** Whether somebody has still to be told of the end. */
  get wantsClosed(): boolean {
    return !this.#toldClosed && this.#emitter.listenerCount('closed') > 0;
  }

  /** Whether somebody wants to see the records that are dropped. */
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
    if (reason === 'expired') this.#tell('expired', record);
    else this.#tell('dropped', record, reason);
  }

  full(lane: number): void {
    if (channels.full.hasSubscribers) channels.full.publish({ queue: this.#queue, lane });
  }

  waiterRefused(lane: number): void {
    if (channels.waiterRefused.hasSubscribers) channels.waiterRefused.publish({ queue: this.#queue, lane });
  }

  /** Once. */
  closed(): void {
    if (this.#toldClosed) return;
    this.#toldClosed = true;
    if (channels.closed.hasSubscribers) channels.closed.publish({ queue: this.#queue });
    this.#tell('closed');
  }

  /**
   * Tells every listener, whatever becomes of the others. What one throws is not the failure of the call that told
   * it, which has more records in hand or has closed the queue already: it becomes an uncaught exception.
   */
  #tell(event: string, ...values: unknown[]): void {
    for (const listener of this.#listeners(event)) call(listener, values);
  }

  /** One who listens since the others were told of the end. */
  #tellLate(listener: Listener): void {
    if (this.#listeners('closed').includes(listener)) call(listener, []);
  }

  /** Not by listeners(), which takes a property \`listener\` of Object.prototype for what was wrapped. */
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
