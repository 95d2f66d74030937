import { clearTimeout, setTimeout } from 'node:timers';
import { CLOSED_WAITER, type NativeQueue, SERVED_WAITER } from '../binding/index.js';
import { type InLine, onAbort, SluiceError, WaitingLine } from '../input/index.js';

interface Waiter extends InLine<Waiter> {
  readonly index: number;
  readonly line: WaitingLine<Waiter>;
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
  readonly #lanes: WaitingLine<Waiter>[] = [];
  readonly #waiters = new Map<number, Waiter>();
  readonly #keepAlive: (by: 1 | -1) => void;

  constructor(native: NativeQueue, lanes: number, keepAlive: (by: 1 | -1) => void) {
    this.#native = native;
    this.#keepAlive = keepAlive;
    for (let lane = 0; lane < lanes; lane++) this.#lanes.push(new WaitingLine());
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
      const leave = (error: unknown): void => {
        if (this.#waiters.get(index) !== waiter) return; // settled: its place may be another's
        // Not in line any more: it was served, or closed, just before.
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
   * Rejects everyone, because the object is about to be disposed of, but for those who were served or closed before:
   * a record that was added must not be reported as lost. From the back, so that nobody moves up meanwhile.
   */
  reject(error: Error): void {
    for (const line of this.#lanes) {
      const all: Waiter[] = [];
      for (let one = line.last; one !== undefined; one = one.before) all.push(one);
      for (const one of all) {
        if (this.#waiters.get(one.index) !== one) continue; // settled by a method of another one's signal
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
