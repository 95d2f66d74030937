import { clearTimeout, setTimeout } from 'node:timers';
import { ENDED_WAITER, type NativeQueue, SERVED_WAITER } from '../binding/index.js';
import { onAbort, SluiceError } from '../input/index.js';
import { type Linked, LinkedList } from '../linked-list.js';

interface Waiter extends Linked<Waiter> {
  /** Its number in native code. */
  readonly index: number;
  /** The waiters of its lane. */
  readonly lane: LinkedList<Waiter>;
  readonly settle: (failure?: Failure) => void;
}

/** Why a wait rejects. An object, because a signal's reason may be any value, also undefined. */
interface Failure {
  readonly error: unknown;
}

/** The promises of this thread's waiters for room. Native code keeps the order of all threads' waiters. */
export class RoomWaits {
  readonly #native: NativeQueue;
  /** The waiters of each lane, in the order in which they came, which is the order in which a lane serves them. */
  readonly #lanes: LinkedList<Waiter>[] = [];
  readonly #waiters = new Map<number, Waiter>();
  readonly #keepAlive: (by: 1 | -1) => void;
  /** The reason with which all waits are rejected, once the object is disposed of. */
  #end: Error | undefined;

  constructor(native: NativeQueue, lanes: number, keepAlive: (by: 1 | -1) => void) {
    this.#native = native;
    this.#keepAlive = keepAlive;
    for (let lane = 0; lane < lanes; lane++) this.#lanes.push(new LinkedList());
  }

  /**
   * Resolves when native waiter number `index` of `lane` is served. Rejects when the queue is closed, the time is over
   * or the signal aborts; the waiter then leaves no place in the lane, no timer and no listener behind.
   */
  wait(
    index: number,
    lane: number,
    timeoutMs: number | undefined,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      const leave = (error: unknown): void => {
        if (this.#waiters.get(index) !== waiter) return; // settled: its number may be another waiter's
        // Native code does not have the waiter any more: it was served, or the queue was closed, just before.
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
        lane: this.#lanes[lane] as LinkedList<Waiter>,
        previous: undefined,
        next: undefined,
        settle: (failure) => {
          clearTimeout(timer);
          forget?.();
          if (failure === undefined) resolve();
          else reject(failure.error);
        },
      };
      this.#waiters.set(index, waiter);
      waiter.lane.add(waiter);
      this.#keepAlive(1);
      // The object is being disposed of: a listener of a handler's signal has begun this wait after `reject`.
      if (this.#end !== undefined) return leave(this.#end);
      // Not earlier, because the signal's methods may be the program's own, and must find the wait complete.
      try {
        forget = onAbort(signal, () => leave(signal?.reason));
        if (signal?.aborted) leave(signal.reason); // a getter of the record aborted it, before the listener was there
      } catch (error) {
        leave(error);
      }
      this.served();
    });
  }

  /** Settles the waiters that were served, and those whose queue was closed. Called when this thread's bell rings. */
  served(): void {
    for (const lane of this.#lanes) {
      for (let first = lane.first; first !== undefined; first = lane.first) {
        const state = this.#native.waiterState(first.index);
        if (state !== SERVED_WAITER && state !== ENDED_WAITER) break;
        this.#native.retire(first.index);
        this.#settle(first, state === ENDED_WAITER ? { error: closed() } : undefined);
      }
    }
  }

  /**
   * Rejects all waiters, because the object is about to be disposed of, except those that were served, or whose queue
   * was closed, before: a record that was added must not be reported as lost. Begins with the last waiter, so that
   * native code serves none of them meanwhile.
   */
  reject(error: Error): void {
    this.#end = error;
    for (const lane of this.#lanes) {
      const all: Waiter[] = [];
      for (let waiter = lane.last; waiter !== undefined; waiter = waiter.previous) all.push(waiter);
      for (const waiter of all) {
        if (this.#waiters.get(waiter.index) !== waiter) continue; // a method of another waiter's signal settled it
        if (this.#native.leave(waiter.index) === 1) this.#settle(waiter, { error });
      }
    }
    this.served();
  }

  #settle(waiter: Waiter, failure?: Failure): void {
    this.#waiters.delete(waiter.index);
    waiter.lane.delete(waiter);
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
