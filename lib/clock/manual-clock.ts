import {
  checkedHandle,
  clockLimits,
  type Handle,
  made,
  type NativeClock,
  type NativeHandle,
  native,
  publicHandle,
} from '../binding/index.js';
import { isOurs, optionError } from '../input/index.js';

export type ManualClockHandle = Handle<'clock'>;

/** Not by the public getter, in whose place a program may have put another one. */
let handleOf: (clock: ManualClock) => NativeHandle;

/**
 * A clock that moves only when told to, for tests and simulations: give it as the option `clock` of
 * `Queue.create`, `Limiter.create` or `Stock.create`. All threads that share the object share the clock.
 * Without one, everything runs on the machine's monotonic clock.
 */
export class ManualClock {
  #native: NativeClock;

  /** A clock that stands at `startMs` milliseconds. */
  constructor(startMs = 0) {
    if (typeof startMs !== 'number' || !(startMs >= 0 && startMs <= clockLimits.startMs)) {
      throw optionError(
        'ManualClock: startMs',
        'a number from 0 to 1e12',
        startMs,
        typeof startMs !== 'number',
      );
    }
    this.#native = made('ManualClock', native.createClock(Math.round(startMs * 1e6)));
  }

  /** Only what was made here, whatever its prototype says. */
  static [Symbol.hasInstance](value: unknown): value is ManualClock {
    return typeof value === 'object' && value !== null && #native in value;
  }

  static {
    handleOf = (clock) => clock.#native.handle;
  }

  /** The clock of another thread, by its handle. */
  static attach(handle: ManualClockHandle): ManualClock {
    const clock = new ManualClock();
    clock.#native = made(
      'ManualClock.attach',
      native.attachClock(checkedHandle('ManualClock.attach', 'clock', handle)),
    );
    return clock;
  }

  get handle(): ManualClockHandle {
    return publicHandle('clock', this.#native.handle);
  }

  /** Milliseconds, fractions included. */
  now(): number {
    return this.#native.now() / 1e6;
  }

  /**
   * Moves the clock forward by `ms` milliseconds (fractions down to the nanosecond), to at most 1.1e12 (34 years) in
   * all. Returns the new time.
   */
  advance(ms: number): number {
    if (typeof ms !== 'number' || !(ms >= 0 && ms <= clockLimits.startMs)) {
      throw optionError('ManualClock.advance: ms', 'a number from 0 to 1e12', ms, typeof ms !== 'number');
    }
    if (this.now() + ms > clockLimits.endMs) {
      throw optionError(
        'ManualClock.advance: ms',
        `at most what is left until ${clockLimits.endMs}`,
        ms,
        false,
      );
    }
    return this.#native.advance(Math.round(ms * 1e6)) / 1e6;
  }
}
isOurs(ManualClock);

/** The native form of the option `clock` of `where`: undefined stands for the monotonic clock. */
export function nativeClock(where: string, clock: unknown): NativeHandle | undefined {
  if (clock === undefined) return undefined;
  if (!(clock instanceof ManualClock)) throw optionError(`${where}: clock`, 'a ManualClock', clock, true);
  return handleOf(clock);
}
