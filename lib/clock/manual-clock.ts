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

/** Names a manual clock to other threads. Survives structured clone. */
export type ManualClockHandle = Handle<'clock'>;

/** Reads the private field, because a program may have replaced the public getter. */
let handleOf: (clock: ManualClock) => NativeHandle;

/**
 * A clock that moves only by `advance`, for tests and simulations. Give it as the option `clock` of `Queue.create`,
 * `Limiter.create` or `Stock.create`. All threads that share such an object share its clock. Without the option, an
 * object uses the machine's monotonic clock.
 */
export class ManualClock {
  #native: NativeClock;

  /**
   * Creates a clock whose time is `startMs` milliseconds.
   *
   * @param startMs The time, 0 to 1e12. Default: 0.
   * @throws TypeError, RangeError (`ERR_SLUICE_OPTION`) naming `startMs`.
   * @example
   * const clock = new ManualClock(1_000);
   */
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

  /** True only for objects that this constructor made, whatever their prototype. */
  static [Symbol.hasInstance](value: unknown): value is ManualClock {
    return typeof value === 'object' && value !== null && #native in value;
  }

  static {
    handleOf = (clock) => clock.#native.handle;
  }

  /**
   * Attaches to another thread's clock by its handle.
   *
   * @param handle The `handle` of the clock.
   * @returns This thread's object for the same clock.
   * @throws TypeError (`ERR_SLUICE_OPTION`) if `handle` is not the handle of a clock; SluiceError `ERR_SLUICE_HANDLE`
   *   if no thread has the clock any more.
   * @example
   * const clock = ManualClock.attach(workerData.clock);
   */
  static attach(handle: ManualClockHandle): ManualClock {
    const clock = new ManualClock();
    clock.#native = made(
      'ManualClock.attach',
      native.attachClock(checkedHandle('ManualClock.attach', 'clock', handle)),
    );
    return clock;
  }

  /** Names the clock to other threads: survives structured clone (`workerData`, `postMessage`). */
  get handle(): ManualClockHandle {
    return publicHandle('clock', this.#native.handle);
  }

  /**
   * Returns the time in milliseconds, fractions included.
   *
   * @returns Milliseconds since the clock's zero.
   * @throws Nothing.
   * @example
   * const clock = new ManualClock(1_000);
   * clock.now(); // 1000
   */
  now(): number {
    return this.#native.now() / 1e6;
  }

  /**
   * Moves the clock forward by `ms` milliseconds (fractions down to the nanosecond). The time can reach at most 1.1e12
   * ms (34 years). Returns the new time.
   *
   * @param ms How far, in milliseconds: 0 to 1e12.
   * @returns The new time in milliseconds.
   * @throws TypeError, RangeError (`ERR_SLUICE_OPTION`) if `ms` is not such a number, or the new time would exceed
   *   1.1e12 ms.
   * @example
   * clock.advance(250);
   */
  advance(ms: number): number {
    if (typeof ms !== 'number' || !(ms >= 0 && ms <= clockLimits.startMs)) {
      throw optionError('ManualClock.advance: ms', 'a number from 0 to 1e12', ms, typeof ms !== 'number');
    }
    if (this.now() + ms > clockLimits.endMs) {
      throw optionError(
        'ManualClock.advance: ms',
        `at most the milliseconds left until ${clockLimits.endMs}`,
        ms,
        false,
      );
    }
    return this.#native.advance(Math.round(ms * 1e6)) / 1e6;
  }
}
isOurs(ManualClock);

/** Returns the native handle of the option `clock` of `where`; undefined means the monotonic clock. */
export function nativeClock(where: string, clock: unknown): NativeHandle | undefined {
  if (clock === undefined) return undefined;
  if (!(clock instanceof ManualClock)) throw optionError(`${where}: clock`, 'a ManualClock', clock, true);
  return handleOf(clock);
}
