import { clearTimeout, setTimeout } from 'node:timers';
import { CLOSED_WAITER, type NativeQueue, SERVED_WAITER } from '../binding/index.js';
import { onAbort, SluiceError } from '../input/index.js';

interface Waiter {
  readonly settle: (failure?: Failure) => void;
}

/** What a wait rejects with: anything, the undefined of a signal without a reason included. */
interface Failure {
  readonly error: unknown;
}

/** The promises of this thread's waiters for room. Where they stand in line is native; here is who to tell. */
export class RoomWaits {
  readonly #native: NativeQueue;
  /** By lane, in the order in which they joined, which is the order in which a lane serves them. */
  readonly #lanes: Map<number, Waiter>[] = [];
  readonly #keepAlive: (by: 1 | -1) => void;

  constructor(native: NativeQueue, lanes: number, keepAlive: (by: 1 | -1) => void) {
    this.#native = native;
    this.#keepAlive = keepAlive;
    for (let lane = 0; lane < lanes; lane++) this.#lanes.push(new Map());
  }

  /**
   * Resolves when native waiter number `index` of `lane` has been served; rejects when it is closed, timed out or
   * aborted, and nothing of it is left then: no place in line, timer or listener.
   */
  wait(
    index: number,
    lane: number,
    timeoutMs: number | undefined,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      const waiters = this.#lanes[lane] as Map<number, Waiter>;
      const leave = (error: unknown): void => {
        if (waiters.get(index)?.settle !== settle) return; // settled: its place may be another's
        // Not in line any more: it was served, or closed, just before.
        if (this.#native.leave(index) !== 1) this.served();
        else this.#settle(lane, index, { error });
      };
      const timer =
        timeoutMs === undefined
          ? undefined
          : setTimeout(() => leave(timedOut(timeoutMs)), Math.max(1, Math.ceil(timeoutMs)));
      let forget: (() => void) | undefined;
      const settle = (failure?: Failure): void => {
        clearTimeout(timer);
        forget?.();
        if (failure === undefined) resolve();
        else reject(failure.error);
      };
      waiters.set(index, { settle });
      this.#keepAlive(1);
      // Only now: the methods of a signal may be anybody's.
      try {
        forget = onAbort(signal, () => leave(signal?.reason));
        if (signal?.aborted) leave(signal.reason); // before it was listened to, by a getter of the record
      } catch (error) {
        leave(error);
      }
      this.served();
    });
  }

  /** Settles those who have been served or closed. Called when this thread's bell rings. */
  served(): void {
    for (const [lane, waiters] of this.#lanes.entries()) {
      for (const index of waiters.keys()) {
        const state = this.#native.waiterState(index);
        if (state === SERVED_WAITER) {
          this.#native.retire(index);
          this.#settle(lane, index);
        } else if (state === CLOSED_WAITER) {
          this.#native.retire(index);
          this.#settle(lane, index, { error: closed() });
        } else {
          break;
        }
      }
    }
  }

  /**
   * Rejects everyone, because the object is about to be disposed of, but for those who were served or closed before:
   * a record that was added must not be reported as lost. From the back, so that nobody moves up meanwhile.
   */
  reject(error: Error): void {
    for (const [lane, waiters] of this.#lanes.entries()) {
      for (const index of [...waiters.keys()].reverse()) {
        if (this.#native.leave(index) === 1) this.#settle(lane, index, { error });
      }
    }
    this.served();
  }

  #settle(lane: number, index: number, failure?: Failure): void {
    const waiters = this.#lanes[lane];
    const waiter = waiters?.get(index);
    if (waiter === undefined) return;
    waiters?.delete(index);
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
