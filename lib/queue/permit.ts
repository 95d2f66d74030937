import { Finalizer } from '../binding/index.js';
import { constructorError, onAbort, SluiceError } from '../input/index.js';

/** @internal The functions of a queue that its permits call. */
export interface PermitQueue<T> {
  stage(value: T): void;
  sendReserved(lane: number): void;
  returnReserved(lane: number, count: number): void;
}

/**
 * The room of a permit. The finalizer and the signal's listener keep it alive, so it must not refer to the permit. Nor
 * is the listener made in a method of the permit: closures that one call makes share their variables, `this` included.
 */
interface Room<T> {
  readonly queue: PermitQueue<T>;
  readonly lane: number;
  remaining: number;
  /** Stops waiting for the signal's abort. */
  forgetSignal: () => void;
}

/** Gives back the unused room of a permit that was garbage-collected. */
const forgotten = new Finalizer<Room<unknown>>(giveBack);

function giveBack<T>(room: Room<T>): void {
  const unused = room.remaining;
  room.remaining = 0;
  if (unused > 0) room.queue.returnReserved(room.lane, unused);
  settle(room);
}

/** Stops listening to the signal and to the garbage collector, because the permit has ended. */
function settle<T>(room: Room<T>): void {
  room.forgetSignal();
  forgotten.unregister(room);
}

function giveBackOnAbort<T>(room: Room<T>, signal: AbortSignal | undefined): void {
  room.forgetSignal = onAbort(signal, () => giveBack(room));
}

/**
 * Room for a number of records, reserved ahead: `send` succeeds even if the queue is full, or was closed meanwhile.
 * Unused room goes back to the queue when the permit is disposed of or garbage-collected, when the signal given to
 * `reserve` aborts, and when the thread ends.
 */
export class Permit<T> implements Disposable {
  /** The lane that the room is in. */
  readonly lane: number;
  readonly #room: Room<T>;

  /** @internal */
  constructor(queue: PermitQueue<T>, lane: number, count: number, signal: AbortSignal | undefined) {
    if (queue === undefined) throw constructorError('Permit', 'reserve() or tryReserve() of a queue');
    this.lane = lane;
    this.#room = { queue, lane, remaining: count, forgetSignal: nothing };
    forgotten.register(this, this.#room, this.#room);
    try {
      giveBackOnAbort(this.#room, signal);
    } catch (error) {
      giveBack(this.#room); // a method that the program gave its signal has thrown
      throw error;
    }
  }

  /** Records that can still be sent. */
  get remaining(): number {
    return this.#room.remaining;
  }

  /**
   * Pushes a record.
   *
   * @param value The record: a value for each field.
   * @throws TypeError, RangeError (`ERR_SLUICE_FIELD`): the permit is not used; SluiceError `ERR_SLUICE_PERMIT` if
   *   nothing remains, `ERR_SLUICE_DISPOSED` once the queue is disposed of in this thread.
   * @example
   * permit.send(order);
   */
  send(value: T): void {
    this.#checkRemaining();
    this.#room.queue.stage(value);
    this.#checkRemaining(); // again: a getter of the record may have used or returned the permit
    this.#room.queue.sendReserved(this.#room.lane);
    if (--this.#room.remaining === 0) settle(this.#room);
  }

  /** Gives back the room that was not used. Further calls do nothing. */
  [Symbol.dispose](): void {
    giveBack(this.#room);
  }

  #checkRemaining(): void {
    if (this.#room.remaining > 0) return;
    throw new SluiceError('ERR_SLUICE_PERMIT', 'Permit: used up, or returned');
  }
}

function nothing(): void {}
