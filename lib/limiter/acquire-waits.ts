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
import { type InLine, onAbort, WaitingLine } from '../input/index.js';
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
/** How often a depth is looked at that follows a queue: nobody tells when a queue gets shorter. */
const queuePollMs = 5;
/** How often the wall clock of a calendar window is looked at: no bell tells when it is set. */
const calendarPollMs = 60_000;

/** What a wait rejects with. A class: a polluted Object.prototype makes no decision look like one. */
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
  /** In milliseconds of the limiter's clock, or Infinity. */
  readonly deadline: number;
  /** Settles the promise and lets go of the signal. */
  readonly settle: (outcome: Decision | Failure) => void;
  timer: NodeJS.Timeout | undefined;
}

/** Those of this thread who wait for one key. */
interface Line {
  readonly key: NativeKey | undefined;
  readonly name: string;
  readonly waiters: WaitingLine<Waiter>;
  timer: NodeJS.Timeout | undefined;
}

/**
 * A key as a text, which no other key has: a Map hashes numbers, and bigints by their last 64 bits, without a secret,
 * so that a client could choose many that meet.
 */
function nameOf(key: NativeKey | undefined): string {
  if (typeof key === 'bigint') return `bigint ${key.toString(16)}`;
  return `${typeof key} ${key}`;
}

/**
 * The calls of `acquire()` in this thread that wait. A line has one timer, for its front; a waiter has one only for its
 * deadline, and one listener on its signal. Native code tells which waiters were served, so that serving one costs the
 * same however many wait.
 */
export class AcquireWaits {
  readonly #native: NativeLimiter;
  readonly #words: Float64Array;
  readonly #allowed: (cost: number, key: NativeKey | undefined) => Decision;
  /** How often a line looks at what no bell tells of: a queue's depth, a wall clock. */
  readonly #pollMs: number;
  readonly #waiters = new Map<number, Waiter>();
  readonly #lines = new Map<string, Line>();
  /** On a manual clock: no deadline is earlier. */
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

  /** Waits for a waiter that native code has let into the line. */
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
      const isSettled = (): boolean => this.#waiters.get(index) !== waiter; // then its place may be another's
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
      // Only now: the methods of a signal may be anybody's.
      try {
        forget = onAbort(signal, () => leave(signal?.reason));
      } catch (error) {
        leave(error);
      }
      if (isSettled()) return;
      if (timeoutMs !== Infinity) this.#await(waiter, timeoutMs);
      // A waiter behind others finds their timer, and a bell that this thread listened to when it joined.
      if (waiter.line.waiters.first !== waiter) return;
      this.#tend(waiter.line);
      this.#hear();
    });
  }

  /** Nobody waits any more: all are told that the limiter is disposed of. */
  end(): void {
    for (const waiter of [...this.#waiters.values()]) {
      this.#forget(waiter);
      waiter.settle(new Failure(disposed('Limiter')));
    }
  }

  /** The bell: native code has something to tell, or a manual clock has moved. */
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
    if (now < this.#earliest - 1e-3) return; // a microsecond: native code knows the nanoseconds
    this.#earliest = Infinity;
    for (const waiter of this.#waiters.values()) {
      if (now >= waiter.deadline - 1e-3) {
        this.#native.tend(waiter.index);
        if (this.#words[words.left] === Infinity) continue; // its time is over
      }
      this.#earliest = Math.min(this.#earliest, waiter.deadline);
    }
  }

  /** Asks native code what has happened, until that is all. */
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

  /** Has a line served, and looks again when native code said; on a manual clock, when that moves. */
  #tend(line: Line): void {
    const { first } = line.waiters;
    if (first === undefined) return;
    this.#native.tend(first.index);
    if (this.#native.manualClock) return;
    clearTimeout(line.timer);
    const ms = this.#words[words.retryAfter] as number;
    const due = Math.min(ms, this.#pollMs);
    if (due === Infinity) return; // whoever gives back tells
    line.timer = setTimeout(
      () => {
        this.#tend(line);
        this.#hear();
      },
      Math.min(Math.ceil(due), timerMsMax),
    );
  }

  /** Ends a wait at its deadline; on a manual clock, when that moves past it. */
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
