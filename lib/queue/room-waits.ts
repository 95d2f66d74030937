import { clearTimeout, setTimeout } from 'node:timers';
import { CLOSED_WAITER, type NativeQueue, SERVED_WAITER } from '../binding/index.js';
import { onAbort, SluiceError } from '../input/index.js';
import { type InLine, WaitingLine } from '../linked-list.js';

interface Waiter extends InLine<Waiter> {
  readonly index: number;
  readonly line: WaitingLine<Waiter>;
  readonly settle: (failure?: Failure) => void;
}

/**
 * The reason with which a wait rejects. It may be any value, even undefined: a program can give its signal any reason.
 */
interface Failure {
  readonly error: unknown;
}

/** The promises of this thread's waiters for room. Native code keeps the order of the waiters of all threads. */
export class RoomWaits {
  readonly #native: NativeQueue;
  /** The waiters of each lane, in the order in which they joined. A lane serves them in that order. */
  readonly #lanes: WaitingLine<Waiter>[] = [];
  readonly #waiters = new Map<number, Waiter>();
  readonly #keepAlive: (by: 1 | -1) => void;

  constructor(native: NativeQueue, lanes: number, keepAlive: (by: 1 | -1) => void) {
    this.#native = native;
    this.#keepAlive = keepAlive;
    for (let lane = 0; lane < lanes; lane++) this.#lanes.push(new WaitingLine());
  }

  /**
   * Resolves when native waiter number `index` of `lane` has been served; rejects when it was closed, timed out or
   * aborted. Then nothing of it is left: no place in line, timer or listener.
   */
  wait(
    index: number,
    lane: number,
    timeoutMs: number | undefined,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      const leave = (error: unknown): void => {
        if (this.#waiters.get(index) !== waiter) return; // settled: another waiter may have its place
        // It is not in line any more: it was served, or closed, just before.
        if (this.#native.leave(index) !== 1) this.served();
        else this.#settle(waiter, { error });
      };
      const timer =
        timeoutMs === undefined
          ? undefined
          : setTimeout(() => leave(timedOut(timeoutMs)), Math.max(1, Math.ceil(timeoutMs)));
      let forget: (() => void) | undefined;
      const waiter: Waiter = {
        index,
        line: this.#lanes[lane] as WaitingLine<Waiter>,
        before: undefined,
        behind: undefined,
        settle: (failure) => {
          clearTimeout(timer);
          forget?.();
          if (failure === undefined) resolve();
          else reject(failure.error);
        },
      };
      this.#waiters.set(index, waiter);
      waiter.line.add(waiter);
      this.#keepAlive(1);
      // Last, because a program can replace the methods of its signal.
      try {
        forget = onAbort(signal, () => leave(signal?.reason));
        if (signal?.aborted) leave(signal.reason); // a getter of the record aborted it before
      } catch (error) {
        leave(error);
      }
      this.served();
    });
  }

  /** Settles the waiters that were served or closed. Called when this thread's bell rings. */
  served(): void {
    for (const line of this.#lanes) {
      for (let first = line.first; first !== undefined; first = line.first) {
        const state = this.#native.waiterState(first.index);
        if (state !== SERVED_WAITER && state !== CLOSED_WAITER) break;
        this.#native.retire(first.index);
        this.#settle(first, state === CLOSED_WAITER ? { error: closed() } : undefined);
      }
    }
  }

  /**
   * Rejects all waiters, because the object is about to be disposed of, except those that were served or closed before:
   * a record that was added must not be reported as lost. Starts from the back, so that no waiter moves up meanwhile.
   */
  reject(error: Error): void {
    for (const line of this.#lanes) {
      const all: Waiter[] = [];
      for (let one = line.last; one !== undefined; one = one.before) all.push(one);
      for (const one of all) {
        if (this.#waiters.get(one.index) !== one) continue; // settled by a method of another waiter's signal
        if (this.#native.leave(one.index) === 1) this.#settle(one, { error });
      }
    }
    this.served();
  }

  #settle(waiter: Waiter, failure?: Failure): void {
    this.#waiters.delete(waiter.index);
    waiter.line.delete(waiter);
    this.#keepAlive(-1);
    waiter.settle(failure);
  }
}

export function closed(): SluiceError {
  return new SluiceError('ERR_SLUICE_CLOSED', 'Queue: closed, takes no more records');
}

function timedOut(timeoutMs: number): SluiceError {
  return new SluiceError('ERR_SLUICE_TIMEOUT', `Queue: no room within ${timeoutMs} ms`);
}
