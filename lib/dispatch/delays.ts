import { performance } from 'node:perf_hooks';
import { clearTimeout, setTimeout } from 'node:timers';

/** The time and the timer that delays use. Tests give their own. */
export interface Timing {
  now(): number;
  /** Calls `call` once, after `ms` milliseconds. Returns a function that cancels it. */
  after(ms: number, call: () => void): () => void;
}

/** The longest time that a timer of Node.js can have. It would run a longer one at once. */
const timerMsMax = 2_147_483_647;

const systemTiming: Timing = {
  now: () => performance.now(),
  after: (ms, call) => {
    const timer = setTimeout(call, ms);
    return () => clearTimeout(timer);
  },
};

interface Delay {
  readonly dueAt: number;
  /** Delays that are due at the same time are called in the order in which they were added. */
  readonly number: number;
  readonly call: () => void;
}

/**
 * Calls functions later, with one timer for all of them. Adding one, and calling the next, takes the logarithm of the
 * number of delays: they are a binary heap, with the next one first. A wheel is slower for as many delays as a crew has
 * by default: docs/internals/decisions, 22.
 */
export class Delays {
  readonly #timing: Timing;
  readonly #heap: Delay[] = [];
  #added = 0;
  #cancel: (() => void) | undefined;
  /** When the timer runs; Infinity without a timer. */
  #timerAt = Infinity;

  constructor(timing: Timing = systemTiming) {
    this.#timing = timing;
  }

  /** How many delays wait. */
  get size(): number {
    return this.#heap.length;
  }

  add(ms: number, call: () => void): void {
    const delay = { dueAt: this.#timing.now() + ms, number: this.#added++, call };
    this.#heap.push(delay);
    this.#rise(this.#heap.length - 1, delay);
    this.#setTimer();
  }

  /** Calls none of the delays. */
  clear(): void {
    this.#heap.length = 0;
    this.#setTimer();
  }

  #setTimer(): void {
    const dueAt = this.#heap[0]?.dueAt ?? Infinity;
    if (dueAt === this.#timerAt) return;
    this.#cancel?.();
    this.#cancel = undefined;
    this.#timerAt = dueAt;
    if (dueAt === Infinity) return;
    const ms = Math.min(timerMsMax, Math.max(1, Math.ceil(dueAt - this.#timing.now())));
    this.#cancel = this.#timing.after(ms, () => this.#run());
  }

  /** Calls what is due now. What that adds is left for the next timer, so that the event loop gets a turn. */
  #run(): void {
    this.#cancel = undefined;
    this.#timerAt = Infinity;
    const now = this.#timing.now();
    const end = this.#added;
    for (;;) {
      const [first] = this.#heap;
      if (first === undefined || first.dueAt > now || first.number >= end) break;
      this.#removeFirst();
      first.call();
    }
    this.#setTimer();
  }

  #removeFirst(): void {
    const last = this.#heap.pop();
    if (last !== undefined && this.#heap.length > 0) this.#sink(last);
  }

  /** Puts `delay` at `place`, or nearer to the first place, where the delays above it are due before it. */
  #rise(place: number, delay: Delay): void {
    let at = place;
    while (at > 0) {
      const above = (at - 1) >> 1;
      const other = this.#heap[above] as Delay;
      if (isBefore(other, delay)) break;
      this.#heap[at] = other;
      at = above;
    }
    this.#heap[at] = delay;
  }

  /** Puts `delay` at the first place, or below it, where it is due before the delays below it. */
  #sink(delay: Delay): void {
    const heap = this.#heap;
    let at = 0;
    for (;;) {
      let below = 2 * at + 1;
      if (below >= heap.length) break;
      if (below + 1 < heap.length && isBefore(heap[below + 1] as Delay, heap[below] as Delay)) below++;
      const other = heap[below] as Delay;
      if (isBefore(delay, other)) break;
      heap[at] = other;
      at = below;
    }
    heap[at] = delay;
  }
}

function isBefore(a: Delay, b: Delay): boolean {
  return a.dueAt < b.dueAt || (a.dueAt === b.dueAt && a.number < b.number);
}
