import type { NativeQueue } from '../binding/index.js';
import type { Events } from './events.js';
import type { Outlet } from './outlet.js';

/** The records that a consumer's calls drop on their way to the records that they show: expired and shed ones. */
export class Drops<T> {
  readonly #native: NativeQueue;
  readonly #outlet: Outlet<T>;
  readonly #events: Events<T>;
  /** Set while a listener runs. */
  readonly #consumer: { draining: boolean };
  /** At least as many records as the queue can hold: with 'drop-oldest', a lane holds up to twice its capacity. */
  readonly #places: number;
  #wanted = false;

  constructor(native: NativeQueue, outlet: Outlet<T>, events: Events<T>, consumer: { draining: boolean }) {
    this.#native = native;
    this.#outlet = outlet;
    this.#events = events;
    this.#consumer = consumer;
    this.#places = 2 * native.capacity * native.lanes;
  }

  /**
   * Repeats a native call that shows records until it shows some or there are none, and reports those that it dropped
   * on the way. It ends even if other threads keep pushing records that are dropped at once: when it has dropped as
   * many as the queue can hold, every record that was there at the call is gone. With `once`, it may show none after
   * having dropped some, so that the event loop gets a turn.
   */
  reporting(call: () => number, once: boolean): number {
    const wants = this.#events.wantsDropped;
    if (wants !== this.#wanted) this.#native.wantDropped(wants ? 1 : 0);
    this.#wanted = wants;
    for (let left = this.#places; left > 0; ) {
      const count = call();
      const dropped = this.#outlet.drops;
      if (wants) this.#report(dropped);
      if (count > 0 || dropped === 0 || once) return count;
      left -= dropped;
    }
    return 0;
  }

  #report(dropped: number): void {
    const reported: Array<[T, number]> = [];
    for (let i = 0; i < dropped; i++) reported.push(this.#outlet.dropped(i));
    const before = this.#consumer.draining;
    this.#consumer.draining = true;
    try {
      for (const [record, reason] of reported) this.#events.dropped(record, reason);
    } finally {
      this.#consumer.draining = before;
    }
  }
}
