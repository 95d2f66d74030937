import { clearTimeout, setTimeout } from 'node:timers';
import { checkedAnswer, type NativeQueue } from '../binding/index.js';
import { Options, onAbort, SluiceError } from '../input/index.js';
import { checkedWait, type WaitOptions } from './options.js';
import type { Producer } from './producer.js';

const waitOptions = ['timeoutMs', 'signal'];

/** The part of a producer that keeps this thread's event loop alive and listens to the thread's bell. */
type Wakeful = Pick<Producer<unknown>, 'listen' | 'keepAlive'>;

/** The waits of a queue object until the queue is drained, is empty, or has no consumer. */
export class DrainWaits {
  readonly #native: NativeQueue;
  readonly #loop: Wakeful;
  readonly #looks = new Set<() => void>();
  /**
   * A field, because closures that one call makes share their variables: made by `#until`, it would keep the last
   * signal alive.
   */
  readonly #onRing = (): void => this.look();

  constructor(native: NativeQueue, loop: Wakeful) {
    this.#native = native;
    this.#loop = loop;
  }

  /** See `Queue.drained`. */
  async drained(options: WaitOptions | undefined): Promise<void> {
    const where = 'Queue.drained';
    const { timeoutMs, signal } = checkedWait(new Options(where, options, waitOptions));
    const isDrained = (): boolean => checkedAnswer('Queue', this.#native.drained()) === 1;
    await this.#until(where, isDrained, timeoutMs, signal);
  }

  /** See `Queue.empty`. */
  async empty(options: WaitOptions | undefined): Promise<void> {
    const where = 'Queue.empty';
    const { timeoutMs, signal } = checkedWait(new Options(where, options, waitOptions));
    const before = checkedAnswer('Queue', this.#native.awaitEmpty(1));
    const isEmpty = (): boolean =>
      checkedAnswer('Queue', this.#native.empty()) === 1 || this.#native.emptied() !== before;
    try {
      await this.#until(where, isEmpty, timeoutMs, signal);
    } finally {
      this.#native.awaitEmpty(0);
    }
  }

  /**
   * Waits until the queue is drained or has no consumer any more. Does not throw if the queue object is disposed of
   * meanwhile.
   */
  async consumed(): Promise<void> {
    const isOver = (): boolean => this.#native.consumed() !== 1 || this.#native.drained() === 1;
    await this.#until('Queue', isOver, undefined, undefined);
  }

  /**
   * Calls `isEnded` at once, and again whenever the bell rings, until it returns true or throws. The bell rings for
   * changes of a queue that is closed, or that a caller awaits to be empty.
   */
  async #until(
    where: string,
    isEnded: () => boolean,
    timeoutMs: number | undefined,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    signal?.throwIfAborted();
    if (isEnded()) return;
    this.#loop.listen(this.#onRing);
    await new Promise<void>((resolve, reject) => {
      let forget: (() => void) | undefined;
      const settle = (failure?: { readonly error: unknown }): void => {
        clearTimeout(timer);
        forget?.();
        this.#looks.delete(look);
        this.#loop.keepAlive(-1);
        if (failure === undefined) resolve();
        else reject(failure.error);
      };
      const look = (): void => {
        try {
          if (isEnded()) settle();
        } catch (error) {
          settle({ error });
        }
      };
      const timer =
        timeoutMs === undefined
          ? undefined
          : setTimeout(() => settle({ error: notWithin(where, timeoutMs) }), timeoutMs);
      this.#looks.add(look);
      this.#loop.keepAlive(1);
      // Not earlier, because the signal's methods may be the program's own, and must find the wait complete.
      try {
        forget = onAbort(signal, () => settle({ error: signal?.reason }));
      } catch (error) {
        if (this.#looks.has(look)) settle({ error });
      }
      if (this.#looks.has(look)) look();
    });
  }

  /** Makes every wait look again: something has happened, or the object was disposed of. */
  look(): void {
    for (const look of this.#looks) look();
  }
}

function notWithin(where: string, timeoutMs: number): SluiceError {
  return new SluiceError('ERR_SLUICE_TIMEOUT', `${where}: not within ${timeoutMs} ms`);
}
