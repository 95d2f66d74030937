import { clearTimeout, setTimeout } from 'node:timers';
import { onAbort } from '../abort.js';
import { SluiceError } from '../errors.js';
import { DISPOSED, disposed, type NativeKey, type NativeLimiter } from '../native/index.js';
import { type Decision, type Denied, tierName } from './decision.js';

/** Answers of `check()`: see native/addon/limiter_functions.cc. */
const SERVED = 0;
const WAITING = 1;
/** Words of the staging buffer: see native/addon/limiter.h. */
const words = { retryAfter: 0, tier: 2 };
/** A longer timer would fire at once. */
const timerMsMax = 2 ** 31 - 1;
/** How often a depth is looked at that follows a queue: nobody tells when a queue gets shorter. */
const queuePollMs = 5;

interface Waiter {
  readonly index: number;
  readonly cost: number;
  readonly key: NativeKey | undefined;
  /** Settles the promise and lets go of the signal. */
  readonly settle: (outcome: Decision | { readonly reason: unknown }) => void;
  timer: NodeJS.Timeout | undefined;
}

/** The calls of `acquire()` in this thread that wait: each has at most one timer and one listener on its signal. */
export class Waiting {
  readonly #native: NativeLimiter;
  readonly #words: Float64Array;
  readonly #allowed: (cost: number, key: NativeKey | undefined) => Decision;
  readonly #waiters = new Set<Waiter>();

  constructor(
    native: NativeLimiter,
    staging: Float64Array,
    allowed: (cost: number, key: NativeKey | undefined) => Decision,
  ) {
    this.#native = native;
    this.#words = staging;
    this.#allowed = allowed;
  }

  /** Waits for a waiter that native code has let into the line. */
  add(
    index: number,
    cost: number,
    key: NativeKey | undefined,
    signal: AbortSignal | undefined,
  ): Promise<Decision> {
    const opened = this.#native.onServed(() => this.recheck());
    if (opened !== 1) {
      this.#native.leave(index);
      throw new SluiceError('ERR_SLUICE_MEMORY', 'Limiter.acquire: the event loop takes no more handles');
    }
    return new Promise((resolve, reject) => {
      const abort = (): void => {
        this.#native.leave(index);
        waiter.settle({ reason: signal?.reason });
      };
      const waiter: Waiter = {
        index,
        cost,
        key,
        timer: undefined,
        settle: (outcome) => {
          clearTimeout(waiter.timer);
          forget();
          this.#waiters.delete(waiter);
          if (this.#waiters.size === 0) this.#native.keepAlive(0);
          if ('reason' in outcome) reject(outcome.reason);
          else resolve(outcome);
        },
      };
      const forget = onAbort(signal, abort);
      this.#waiters.add(waiter);
      this.#native.keepAlive(1);
      this.#check(waiter);
    });
  }

  /** Looks what has become of all who wait in this thread. */
  recheck(): void {
    for (const waiter of [...this.#waiters]) if (this.#waiters.has(waiter)) this.#check(waiter);
  }

  /** Nobody waits any more: all are told that the limiter is disposed of. */
  end(): void {
    for (const waiter of [...this.#waiters]) waiter.settle({ reason: disposed('Limiter') });
  }

  #check(waiter: Waiter): void {
    const answer = this.#native.check(waiter.index);
    const ms = this.#words[words.retryAfter] as number;
    if (answer === DISPOSED) {
      waiter.settle({ reason: disposed('Limiter') });
    } else if (answer === WAITING) {
      this.#sleep(waiter, ms);
    } else if (answer === SERVED) {
      waiter.settle(this.#allowed(waiter.cost, waiter.key));
    } else {
      const tier = tierName(this.#words[words.tier] as number);
      const denied: Denied = { allowed: false, tier, retryAfterMs: ms };
      waiter.settle(denied);
    }
  }

  /** Looks again when native code said; on a manual clock, when that moves. */
  #sleep(waiter: Waiter, ms: number): void {
    clearTimeout(waiter.timer);
    if (this.#native.manualClock) return;
    const due = Math.min(ms, this.#native.followsQueue ? queuePollMs : Infinity);
    if (due === Infinity) return; // whoever gives back tells
    waiter.timer = setTimeout(() => this.#check(waiter), Math.min(Math.ceil(due), timerMsMax));
  }
}
