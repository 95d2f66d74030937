import { Finalizer } from '../binding/index.js';
import { constructorError, onAbort, SluiceError } from '../input/index.js';

/** @internal The functions of a queue that its permits call. */
export interface PermitQueue<T> {
  stage(value: T): void;
  sendReserved(lane: number): void;
  returnReserved(lane: number, count: number): void;
}

/** Gives back the unused room of a permit that was garbage-collected. */
const forgotten = new Finalizer<{ give: () => void }>(({ give }) => give());

/**
 * Room for a number of records, reserved ahead: `send` cannot fail because the queue is full or was closed meanwhile.
 * Unused room goes back to the queue on dispose, when the signal given to `reserve` aborts, and when the thread ends.
 */
export class Permit<T> implements Disposable {
  /** The lane that the room is in. */
  readonly lane: number;
  readonly #state: { queue: PermitQueue<T>; lane: number; remaining: number; give: () => void };
  /**
   * A field, because closures that one call makes share their variables. If the constructor made this one, `give`,
   * which the finalizer keeps alive, would keep the permit alive.
   */
  readonly #aborted = (): void => this[Symbol.dispose]();
  /** Stops waiting for the signal's abort. */
  readonly #forgetSignal: () => void;

  /** @internal */
  constructor(queue: PermitQueue<T>, lane: number, count: number, signal: AbortSignal | undefined) {
    if (queue === undefined) throw constructorError('Permit', 'reserve() or tryReserve() of a queue');
    this.lane = lane;
    const state = {
      queue,
      lane,
      remaining: count,
      give: (): void => {
        const unused = state.remaining;
        state.remaining = 0;
        if (unused > 0) queue.returnReserved(lane, unused);
      },
    };
    this.#state = state;
    try {
      this.#forgetSignal = onAbort(signal, this.#aborted);
    } catch (error) {
      state.give(); // a method that the program gave its signal has thrown
      throw error;
    }
    forgotten.register(this, state, state);
  }

  /** Records that can still be sent. */
  get remaining(): number {
    return this.#state.remaining;
  }

  /**
   * Pushes a record.
   *
   * @param value The record: a value for each field.
   * @throws TypeError, RangeError (`ERR_SLUICE_FIELD`): the permit is not used; SluiceError `ERR_SLUICE_PERMIT` if
   *   nothing remains, `ERR_SLUICE_DISPOSED` once this thread has let go of the queue.
   * @example
   * permit.send(order);
   */
  send(value: T): void {
    this.#checkRemaining();
    this.#state.queue.stage(value);
    this.#checkRemaining(); // again: a getter of the record may have used or returned the permit
    this.#state.queue.sendReserved(this.#state.lane);
    if (--this.#state.remaining === 0) this.#settle();
  }

  /** Gives back the room that was not used. Further calls do nothing. */
  [Symbol.dispose](): void {
    this.#state.give();
    this.#settle();
  }

  #checkRemaining(): void {
    if (this.#state.remaining > 0) return;
    throw new SluiceError('ERR_SLUICE_PERMIT', 'Permit: used up, or returned');
  }

  #settle(): void {
    this.#forgetSignal();
    forgotten.unregister(this.#state);
  }
}
