import { clearTimeout, setTimeout } from 'node:timers';
import { queueLimits } from '../binding/index.js';
import { isThenable, Options, onAbort, SluiceError } from '../input/index.js';
import { batchMax, type ConsumeOptions, timeoutMsMax } from './options.js';

/** How many handlers run at a time, and how long a loop waits for one. */
export interface Limits {
  readonly concurrency: number;
  /** Undefined: a handler may take as long as it wants. */
  readonly handlerTimeoutMs: number | undefined;
  /** How long a loop that ends early waits for the handlers that run, in milliseconds. */
  readonly graceMs: number;
  /**
   * Whether there is room for another item, besides the concurrency: undefined if there is, otherwise a promise that is
   * resolved when there may be. It is asked before each item but the first. Absent: there always is room.
   */
  readonly room?: () => Promise<void> | undefined;
}

const graceMsDefault = 10_000;

/** Reads `handlerTimeoutMs` and `graceMs` from the options. */
export function checkedLimits(given: Options, concurrency: number): Limits {
  const handlerTimeoutMs = given.has('handlerTimeoutMs')
    ? given.number('handlerTimeoutMs', 1, timeoutMsMax)
    : undefined;
  const graceMs =
    given.get('graceMs') === Number.POSITIVE_INFINITY
      ? Number.POSITIVE_INFINITY
      : given.number('graceMs', 0, timeoutMsMax, graceMsDefault);
  return { concurrency, handlerTimeoutMs, graceMs };
}

/** Reads the options of `Queue.consume`. */
export function checkedConsume(options: ConsumeOptions | undefined): {
  readonly batchSize: number;
  readonly spin: number;
  readonly signal: AbortSignal | undefined;
  readonly limits: Limits;
} {
  const known = ['batchSize', 'concurrency', 'spin', 'handlerTimeoutMs', 'graceMs', 'signal'];
  const given = new Options('Queue.consume', options, known);
  const batchSize = given.integer('batchSize', 1, batchMax, 64);
  const limits = checkedLimits(given, given.integer('concurrency', 1, batchMax, 1));
  const spin = given.integer('spin', 0, queueLimits.spin, 0);
  return { batchSize, spin, signal: given.signal(), limits };
}

/** The second argument of a handler of `Queue.consume`. */
export interface HandlerContext {
  /**
   * Aborts when the handler should end soon. The reason is that of the signal given to `consume`, the error of another
   * handler, SluiceError `ERR_SLUICE_TIMEOUT` when `handlerTimeoutMs` are over, or `ERR_SLUICE_DISPOSED`. The signal is
   * made when it is first read.
   */
  readonly signal: AbortSignal;
}

/** One call of a handler. */
export class Call implements HandlerContext {
  readonly #loop: Loop;
  #controller: AbortController | undefined;
  #aborted: { readonly reason: unknown } | undefined;
  #isOver = false;

  constructor(loop: Loop) {
    this.#loop = loop;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      const aborted = this.#aborted ?? this.#loop.stopped;
      if (aborted !== undefined) this.#controller.abort(aborted.reason);
      else if (!this.#isOver) this.#loop.watched.add(this);
    }
    return this.#controller.signal;
  }

  /** Whether the handler has ended, or its result counts no more: its time is over, or the loop has given it up. */
  get isOver(): boolean {
    return this.#isOver || this.isGivenUp;
  }

  /** Whether the loop has been stopped, so that no handler may start any more. */
  get isStopped(): boolean {
    return this.#loop.stopped !== undefined;
  }

  /** Whether the loop has ended without waiting for this handler. */
  get isGivenUp(): boolean {
    return this.#loop.isOver;
  }

  abort(reason: unknown): void {
    this.#aborted ??= { reason };
    this.#controller?.abort(reason);
  }

  /** Called when the handler has ended, or its time is over. */
  end(): void {
    this.#isOver = true;
    if (this.#controller !== undefined) this.#loop.watched.delete(this);
  }
}

/** The part of a loop that its calls read. */
interface Loop {
  /** Why the loop ends early, once it does. */
  readonly stopped: { readonly reason: unknown } | undefined;
  /** Whether the loop has ended without waiting for the handlers that run. */
  readonly isOver: boolean;
  /** The calls whose signal was read: when the loop is stopped, these signals abort. */
  readonly watched: Set<Call>;
}

/**
 * Runs a handler on each item, at most `concurrency` at the same time, started in the order of the items. The cost of
 * an item does not depend on how many handlers run, and nothing of an item is kept once its handler has ended.
 */
export class Handlers<Item> implements Loop {
  readonly watched: Set<Call> = new Set<Call>();
  stopped: { readonly reason: unknown } | undefined;
  isOver = false;
  readonly #handle: (item: Item, call: Call) => unknown;
  readonly #timedOut: (item: Item, error: SluiceError) => void;
  readonly #limits: Limits;
  /** Ends the wait for more items. */
  readonly #interrupt: () => void;
  #failure: { readonly error: unknown } | undefined;
  #running = 0;
  /** Wakes the loop, which waits until fewer than `#below` handlers run. */
  #wake: (() => void) | undefined;
  #below = 0;
  #grace: NodeJS.Timeout | undefined;
  #graceIsOver = false;

  /**
   * `timedOut` decides what becomes of an item whose handler took too long. If it throws, the loop fails with that
   * error.
   */
  constructor(
    handle: (item: Item, call: Call) => unknown,
    timedOut: (item: Item, error: SluiceError) => void,
    limits: Limits,
    interrupt: () => void,
  ) {
    this.#handle = handle;
    this.#timedOut = timedOut;
    this.#limits = limits;
    this.#interrupt = interrupt;
  }

  /**
   * Handles all items, and resolves when the last handler has ended. When a handler fails or `signal` aborts, it starts
   * no more handlers, and rejects with the first failure when the running ones have ended, or after `graceMs`.
   */
  async all(items: AsyncIterable<Item>, signal: AbortSignal | undefined): Promise<void> {
    const forget = onAbort(signal, () => this.#fail(signal?.reason));
    try {
      for await (const item of items) {
        this.#start(item);
        if (this.#running >= this.#limits.concurrency) await this.#untilBelow(this.#limits.concurrency);
        if (this.#limits.room !== undefined) await this.#untilRoom(this.#limits.room);
        if (this.stopped !== undefined) break;
      }
    } catch (error) {
      this.#fail(error);
    }
    if (this.#running > 0 && !this.#graceIsOver) await this.#untilBelow(1);
    forget();
    clearTimeout(this.#grace);
    if (this.#running > 0) {
      this.isOver = true;
      this.#failure ??= { error: this.stopped?.reason };
    }
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /** Starts no more handlers, aborts the signals of those that run, and waits at most `graceMs` for them. */
  stop(reason: unknown): void {
    if (this.stopped !== undefined) return;
    this.stopped = { reason };
    const { graceMs } = this.#limits;
    if (graceMs < Number.POSITIVE_INFINITY) {
      this.#grace = setTimeout(() => {
        this.#graceIsOver = true;
        this.#resume();
      }, graceMs);
    }
    this.#interrupt();
    for (const call of this.watched) call.abort(reason);
    if (this.#below > 1) this.#resume();
  }

  #start(item: Item): void {
    const call = new Call(this);
    const result = this.#handle(item, call);
    if (!isThenable(result)) {
      call.end();
      return;
    }
    this.#running++;
    const { handlerTimeoutMs } = this.#limits;
    const timer =
      handlerTimeoutMs === undefined
        ? undefined
        : setTimeout(() => {
            if (this.isOver) return;
            const error = tooLong(handlerTimeoutMs);
            call.abort(error);
            this.#end(call, () => this.#timedOut(item, error));
          }, handlerTimeoutMs);
    const ended = (failure?: { readonly error: unknown }): void => {
      clearTimeout(timer);
      if (call.isOver) return;
      this.#end(call, () => {
        if (failure !== undefined) throw failure.error;
      });
    };
    Promise.resolve(result).then(
      () => ended(),
      (error: unknown) => ended({ error }),
    );
  }

  #end(call: Call, decide: () => void): void {
    try {
      decide();
    } catch (error) {
      this.#fail(error);
    }
    call.end();
    this.#running--;
    if (this.#running < this.#below) this.#resume();
  }

  #fail(error: unknown): void {
    this.#failure ??= { error };
    this.stop(error);
  }

  #untilBelow(below: number): Promise<void> {
    this.#below = below;
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  /** Resolves when there is room, or the loop is stopped. */
  async #untilRoom(room: () => Promise<void> | undefined): Promise<void> {
    while (this.stopped === undefined) {
      const coming = room();
      if (coming === undefined) return;
      let waits = true; // so that a promise that is resolved late ends no later wait
      const look = (): void => {
        if (waits) this.#resume();
      };
      coming.then(look, look);
      await this.#untilBelow(Infinity);
      waits = false;
    }
  }

  #resume(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    this.#below = 0;
    wake?.();
  }
}

/** A handler that takes too long has failed. */
export function fail(_: unknown, error: SluiceError): never {
  throw error;
}

function tooLong(ms: number): SluiceError {
  return new SluiceError('ERR_SLUICE_TIMEOUT', `consume: a handler was not done within ${ms} ms`);
}
