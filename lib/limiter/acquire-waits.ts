import { clearTimeout, setTimeout } from 'node:timers';
import {
  disposed,
  failed,
  forgotten,
  limiterStaging,
  type NativeKey,
  type NativeLimiter,
  NO_RESOURCES,
  told,
  toldUnit,
  Weak,
} from '../binding/index.js';
import { onAbort } from '../input/index.js';
import { type Linked, LinkedList } from '../linked-list.js';
import { type Decision, denied } from './decision.js';

/** Offsets in the staging buffer, in words of 64 bits. */
const words = {
  retryAfter: limiterStaging.retryAfterMs / 8,
  tier: limiterStaging.tier / 8,
  now: limiterStaging.nowMs / 8,
  left: limiterStaging.leftMs / 8,
};
/** The longest timer, in milliseconds, that Node.js sets: a longer one would fire at once. */
const timerMsMax = 2 ** 31 - 1;
/**
 * The interval, in milliseconds, at which a wait looks at the queue that the depth tier follows: no bell rings when a
 * queue gets shorter.
 */
const queuePollMs = 5;
/**
 * The interval, in milliseconds, at which a wait looks at the wall clock of a calendar window: no bell rings when that
 * clock is set.
 */
const calendarPollMs = 60_000;

/**
 * The objects below that have a waiter now. The set keeps them alive even if the program has dropped its references to
 * their limiters.
 */
const awaited = new Set<AcquireWaits>();

/** Why a wait rejects. A class, so that a polluted Object.prototype makes no decision look like a failure. */
class Failure {
  readonly reason: unknown;
  constructor(reason: unknown) {
    this.reason = reason;
  }
}

interface Waiter extends Linked<Waiter> {
  /** Its number in native code. */
  readonly index: number;
  readonly cost: number;
  readonly ofKey: KeyWaiters;
  /** In milliseconds of the limiter's clock, or Infinity. */
  readonly deadline: number;
  /** Settles the promise, and stops listening to the signal. */
  readonly settle: (outcome: Decision | Failure) => void;
  timer: NodeJS.Timeout | undefined;
}

/** This thread's waiters for one key, in the order in which they came. */
interface KeyWaiters {
  readonly key: NativeKey | undefined;
  readonly name: string;
  readonly list: LinkedList<Waiter>;
  timer: NodeJS.Timeout | undefined;
}

/**
 * Returns the key as a text that no other key has. A Map hashes numbers, and the last 64 bits of bigints, without a
 * secret, so that a client could choose many keys with the same hash.
 */
function nameOf(key: NativeKey | undefined): string {
  if (typeof key === 'bigint') return `bigint ${key.toString(16)}`;
  return `${typeof key} ${key}`;
}

/**
 * The calls of `acquire()` on one limiter object that wait. Each key has at most one timer, for its first waiter. Each
 * waiter has at most one timer, for its deadline. Native code reports which waiters were served, so that serving one
 * waiter costs the same however many wait.
 */
export class AcquireWaits {
  readonly #native: NativeLimiter;
  readonly #words: Float64Array;
  readonly #allowed: (answer: number, cost: number, key: NativeKey | undefined) => Decision;
  /**
   * The interval, in milliseconds, at which a key's first waiter looks at what rings no bell: a queue's depth, a wall
   * clock. Infinity: there is neither.
   */
  readonly #pollMs: number;
  readonly #waiters = new Map<number, Waiter>();
  readonly #keys = new Map<string, KeyWaiters>();
  /** On a manual clock: no deadline is earlier than this time. */
  #earliest = Infinity;
  #listens = false;
  #ended = false;

  constructor(
    native: NativeLimiter,
    staging: Float64Array,
    allowed: (answer: number, cost: number, key: NativeKey | undefined) => Decision,
  ) {
    this.#native = native;
    this.#words = staging;
    this.#allowed = allowed;
    const hasCalendar = native.windows.some(({ every }) => every !== 0);
    this.#pollMs = native.followsQueue ? queuePollMs : hasCalendar ? calendarPollMs : Infinity;
  }

  /** Waits for native waiter number `index`, which the call of `acquire` has just made. */
  add(
    index: number,
    cost: number,
    key: NativeKey | undefined,
    timeoutMs: number,
    signal: AbortSignal | undefined,
  ): Promise<Decision> {
    const now = this.#words[words.now] as number;
    try {
      // `end` calls methods of signals, which a program can replace: a wait that such a method began would never
      // settle.
      if (this.#ended) throw disposed('Limiter');
      this.#listen();
    } catch (error) {
      this.#native.leave(index);
      throw error;
    }
    return new Promise((resolve, reject) => {
      let forget: (() => void) | undefined;
      const isSettled = (): boolean => this.#waiters.get(index) !== waiter; // then its number may be another waiter's
      const leave = (reason: unknown): void => {
        if (isSettled()) return;
        this.#native.leave(index);
        this.#forget(waiter);
        waiter.settle(new Failure(reason));
      };
      const waiter: Waiter = {
        index,
        cost,
        ofKey: this.#waitersFor(key),
        deadline: now + timeoutMs,
        timer: undefined,
        previous: undefined,
        next: undefined,
        settle: (outcome) => {
          forget?.();
          if (outcome instanceof Failure) reject(outcome.reason);
          else resolve(outcome);
        },
      };
      this.#waiters.set(index, waiter);
      waiter.ofKey.list.add(waiter);
      this.#native.keepAlive(1);
      awaited.add(this);
      // Not earlier, because the signal's methods may be the program's own, and must find the wait complete.
      try {
        forget = onAbort(signal, () => leave(signal?.reason));
      } catch (error) {
        leave(error);
      }
      if (isSettled()) return;
      if (timeoutMs !== Infinity) this.#await(waiter, timeoutMs);
      // A waiter behind others needs no more: the first waiter of its key is tended, and the thread listened to the
      // bell before this waiter joined.
      if (waiter.ofKey.list.first !== waiter) return;
      this.#tend(waiter.ofKey);
      this.#hear();
    });
  }

  /** Rejects all waiters, because the limiter is disposed of. */
  end(): void {
    this.#ended = true;
    for (const waiter of [...this.#waiters.values()]) {
      this.#forget(waiter);
      waiter.settle(new Failure(disposed('Limiter')));
    }
  }

  /** Has native code call `rung` when it has something to report. @throws SluiceError if native code cannot. */
  #listen(): void {
    if (this.#listens) return;
    // Native code keeps this function alive until the limiter is disposed of, so the function must not keep the limiter
    // alive.
    const self = new Weak(this);
    const rung = (): void => {
      const waits = self.deref();
      if (waits !== undefined) waits.#rung();
    };
    const opened = this.#native.onServed(rung);
    if (opened !== 1) throw failed('Limiter.acquire', opened);
    this.#listens = true;
  }

  /** Called when the bell rings: native code has something to report, or a manual clock has moved. */
  #rung(): void {
    if (this.#native.manualClock) this.#moved();
    this.#hear();
  }

  #moved(): void {
    let now = -Infinity;
    for (const waiters of this.#keys.values()) {
      this.#tend(waiters);
      now = this.#words[words.now] as number;
    }
    if (now < this.#earliest - 1e-3) return; // a microsecond of tolerance: native code counts in nanoseconds
    this.#earliest = Infinity;
    for (const waiter of this.#waiters.values()) {
      if (now >= waiter.deadline - 1e-3) {
        this.#native.tend(waiter.index);
        if (this.#words[words.left] === Infinity) continue; // its time is over: #hear() settles it
      }
      this.#earliest = Math.min(this.#earliest, waiter.deadline);
    }
  }

  /** Asks native code what has happened to waiters, until it has nothing more to report. */
  #hear(): void {
    for (;;) {
      const answer = this.#native.told();
      if (answer <= forgotten) {
        const waiter = this.#waiters.get(forgotten - answer);
        if (waiter === undefined) continue;
        this.#forget(waiter);
        waiter.settle(new Failure(failed('Limiter.acquire', NO_RESOURCES)));
        continue;
      }
      if (answer <= 0) return; // nothing more, or disposed of
      const waiter = this.#waiters.get(Math.floor(answer / toldUnit));
      if (waiter === undefined) continue;
      const outcome = answer % toldUnit;
      if (outcome === told.served) {
        this.#forget(waiter);
        const answer = this.#words[words.tier] as number;
        waiter.settle(this.#allowed(answer, waiter.cost, waiter.ofKey.key));
      } else if (outcome === told.expired) {
        const refusal = denied(this.#words[words.tier] as number, this.#words[words.retryAfter] as number);
        this.#forget(waiter);
        waiter.settle(refusal);
      } else if (this.#native.followsQueue && !this.#native.manualClock) {
        // The callers that were served just now have not pushed yet: the queue's depth lacks their records.
        this.#tendIn(waiter.ofKey, this.#pollMs);
      } else {
        this.#tend(waiter.ofKey);
      }
    }
  }

  /**
   * Has native code serve the first waiter for a key if it can, and sets a timer to do so again, after the time that
   * native code answers or after `#pollMs`. On a manual clock there is no timer: #moved() does it again.
   */
  #tend(waiters: KeyWaiters): void {
    const { first } = waiters.list;
    if (first === undefined) return;
    this.#native.tend(first.index);
    if (this.#native.manualClock) return;
    const ms = this.#words[words.retryAfter] as number;
    this.#tendIn(waiters, Math.min(ms, this.#pollMs));
  }

  /** Has #tend() called again in `due` milliseconds, in place of the time set before. */
  #tendIn(waiters: KeyWaiters, due: number): void {
    clearTimeout(waiters.timer);
    if (due === Infinity) return; // the thread that gives capacity back rings the bell
    waiters.timer = setTimeout(
      () => {
        this.#tend(waiters);
        this.#hear();
      },
      Math.min(Math.ceil(due), timerMsMax),
    );
  }

  /**
   * Ends a wait at its deadline. On a manual clock it only notes the deadline: #moved() ends the wait when the clock
   * reaches it.
   */
  #await(waiter: Waiter, ms: number): void {
    if (this.#native.manualClock) {
      this.#earliest = Math.min(this.#earliest, waiter.deadline);
      return;
    }
    waiter.timer = setTimeout(
      () => {
        this.#native.tend(waiter.index);
        const left = this.#words[words.left] as number;
        if (left !== Infinity) this.#await(waiter, left);
        this.#hear();
      },
      Math.min(Math.ceil(ms), timerMsMax),
    );
  }

  #waitersFor(key: NativeKey | undefined): KeyWaiters {
    const name = nameOf(key);
    let waiters = this.#keys.get(name);
    if (waiters === undefined) {
      waiters = { key, name, list: new LinkedList<Waiter>(), timer: undefined };
      this.#keys.set(name, waiters);
    }
    return waiters;
  }

  #forget(waiter: Waiter): void {
    const { ofKey } = waiter;
    clearTimeout(waiter.timer);
    this.#waiters.delete(waiter.index);
    ofKey.list.delete(waiter);
    if (ofKey.list.first === undefined) {
      clearTimeout(ofKey.timer);
      this.#keys.delete(ofKey.name);
    }
    if (this.#waiters.size > 0) return;
    this.#native.keepAlive(0);
    awaited.delete(this);
  }
}
