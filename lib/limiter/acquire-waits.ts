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
} from '../binding/index.js';
import { onAbort } from '../input/index.js';
import { type InLine, WaitingLine } from '../linked-list.js';
import { type Decision, denied } from './decision.js';

/** Words of the staging buffer. */
const words = {
  retryAfter: limiterStaging.retryAfterMs / 8,
  tier: limiterStaging.tier / 8,
  now: limiterStaging.nowMs / 8,
  left: limiterStaging.leftMs / 8,
};
/** A longer timer would fire at once. */
const timerMsMax = 2 ** 31 - 1;
/** How often a line looks at the depth of a queue: no bell rings when a queue gets shorter. */
const queuePollMs = 5;
/** How often a line looks at the wall clock of a calendar window: no bell rings when that is set. */
const calendarPollMs = 60_000;

/**
 * The reason with which a wait rejects. A class, so that a polluted Object.prototype makes no decision look like one.
 */
class Failure {
  readonly reason: unknown;
  constructor(reason: unknown) {
    this.reason = reason;
  }
}

interface Waiter extends InLine<Waiter> {
  readonly index: number;
  readonly cost: number;
  readonly line: Line;
  /** In milliseconds by the limiter's clock, or Infinity. */
  readonly deadline: number;
  /** Settles the promise and lets go of the signal. */
  readonly settle: (outcome: Decision | Failure) => void;
  timer: NodeJS.Timeout | undefined;
}

/** The waiters of this thread for one key. */
interface Line {
  readonly key: NativeKey | undefined;
  readonly name: string;
  readonly waiters: WaitingLine<Waiter>;
  timer: NodeJS.Timeout | undefined;
}

/**
 * Returns a text for the key that no other key has. A Map hashes numbers, and the last 64 bits of bigints, without a
 * secret, so a client could choose many keys that collide.
 */
function nameOf(key: NativeKey | undefined): string {
  if (typeof key === 'bigint') return `bigint ${key.toString(16)}`;
  return `${typeof key} ${key}`;
}

/**
 * The calls of `acquire()` in this thread that wait. A line has one timer, for its front; a waiter has one only for its
 * deadline, and one listener on its signal. Native code reports which waiters were served, so that serving one costs
 * the same however many wait.
 */
export class AcquireWaits {
  readonly #native: NativeLimiter;
  readonly #words: Float64Array;
  readonly #allowed: (cost: number, key: NativeKey | undefined) => Decision;
  /** How often a line looks at a queue's depth or a wall clock, for which no bell rings. */
  readonly #pollMs: number;
  readonly #waiters = new Map<number, Waiter>();
  readonly #lines = new Map<string, Line>();
  /** With a manual clock: no waiter's deadline is earlier. */
  #earliest = Infinity;

  constructor(
    native: NativeLimiter,
    staging: Float64Array,
    allowed: (cost: number, key: NativeKey | undefined) => Decision,
  ) {
    this.#native = native;
    this.#words = staging;
    this.#allowed = allowed;
    const hasCalendar = native.windows.some(({ every }) => every !== 0);
    this.#pollMs = native.followsQueue ? queuePollMs : hasCalendar ? calendarPollMs : Infinity;
  }

  /** Returns the promise of a waiter that native code has added to its line. */
  add(
    index: number,
    cost: number,
    key: NativeKey | undefined,
    timeoutMs: number,
    signal: AbortSignal | undefined,
  ): Promise<Decision> {
    const now = this.#words[words.now] as number;
    const opened = this.#native.onServed(() => this.#rung());
    if (opened !== 1) {
      this.#native.leave(index);
      throw failed('Limiter.acquire', opened);
    }
    return new Promise((resolve, reject) => {
      let forget: (() => void) | undefined;
      const isSettled = (): boolean => this.#waiters.get(index) !== waiter; // then another waiter may have its place
      const leave = (reason: unknown): void => {
        if (isSettled()) return;
        this.#native.leave(index);
        this.#forget(waiter);
        waiter.settle(new Failure(reason));
      };
      const waiter: Waiter = {
        index,
        cost,
        line: this.#line(key),
        deadline: now + timeoutMs,
        timer: undefined,
        before: undefined,
        behind: undefined,
        settle: (outcome) => {
          forget?.();
          if (outcome instanceof Failure) reject(outcome.reason);
          else resolve(outcome);
        },
      };
      this.#waiters.set(index, waiter);
      waiter.line.waiters.add(waiter);
      this.#native.keepAlive(1);
      // Last, because a program can replace the methods of its signal.
      try {
        forget = onAbort(signal, () => leave(signal?.reason));
      } catch (error) {
        leave(error);
      }
      if (isSettled()) return;
      if (timeoutMs !== Infinity) this.#await(waiter, timeoutMs);
      // A waiter behind others has their timer, and joined while this thread already listened to the bell.
      if (waiter.line.waiters.first !== waiter) return;
      this.#tend(waiter.line);
      this.#hear();
    });
  }

  /** Rejects all waiters, because the limiter is disposed of. */
  end(): void {
    for (const waiter of [...this.#waiters.values()]) {
      this.#forget(waiter);
      waiter.settle(new Failure(disposed('Limiter')));
    }
  }

  /** Called when the bell rings: native code has something to report, or a manual clock has moved. */
  #rung(): void {
    if (this.#native.manualClock) this.#moved();
    this.#hear();
  }

  #moved(): void {
    let now = -Infinity;
    for (const line of this.#lines.values()) {
      this.#tend(line);
      now = this.#words[words.now] as number;
    }
    if (now < this.#earliest - 1e-3) return; // a microsecond of tolerance: native code compares nanoseconds
    this.#earliest = Infinity;
    for (const waiter of this.#waiters.values()) {
      if (now >= waiter.deadline - 1e-3) {
        this.#native.tend(waiter.index);
        if (this.#words[words.left] === Infinity) continue; // its time is over
      }
      this.#earliest = Math.min(this.#earliest, waiter.deadline);
    }
  }

  /** Asks native code what has happened, until it has nothing more to report. */
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
        waiter.settle(this.#allowed(waiter.cost, waiter.line.key));
      } else if (outcome === told.expired) {
        const refusal = denied(this.#words[words.tier] as number, this.#words[words.retryAfter] as number);
        this.#forget(waiter);
        waiter.settle(refusal);
      } else {
        this.#tend(waiter.line);
      }
    }
  }

  /**
   * Lets native code serve a line, and looks again at the time that native code gives; with a manual clock, when that
   * moves.
   */
  #tend(line: Line): void {
    const { first } = line.waiters;
    if (first === undefined) return;
    this.#native.tend(first.index);
    if (this.#native.manualClock) return;
    clearTimeout(line.timer);
    const ms = this.#words[words.retryAfter] as number;
    const due = Math.min(ms, this.#pollMs);
    if (due === Infinity) return; // a thread that gives something back rings the bell
    line.timer = setTimeout(
      () => {
        this.#tend(line);
        this.#hear();
      },
      Math.min(Math.ceil(due), timerMsMax),
    );
  }

  /** Ends a wait at its deadline; with a manual clock, when that moves past it. */
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

  #line(key: NativeKey | undefined): Line {
    const name = nameOf(key);
    let line = this.#lines.get(name);
    if (line === undefined) {
      line = { key, name, waiters: new WaitingLine<Waiter>(), timer: undefined };
      this.#lines.set(name, line);
    }
    return line;
  }

  #forget(waiter: Waiter): void {
    const { line } = waiter;
    clearTimeout(waiter.timer);
    this.#waiters.delete(waiter.index);
    line.waiters.delete(waiter);
    if (line.waiters.first === undefined) {
      clearTimeout(line.timer);
      this.#lines.delete(line.name);
    }
    if (this.#waiters.size === 0) this.#native.keepAlive(0);
  }
}
