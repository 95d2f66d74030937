import { clearTimeout, setTimeout } from 'node:timers';
import { onAbort, SluiceError } from '../input/index.js';
import type { Producer } from './producer.js';

/** What keeps this thread's event loop awake and listening. */
type Wakeful = Pick<Producer<unknown>, 'listen' | 'keepAlive'>;

/** Those of a queue object who wait for the end of the queue, or until it is empty. */
export class DrainWaits {
  readonly #loop: Wakeful;
  readonly #looks = new Set<() => void>();
  /** Made here: a closure of `until` would keep the last signal alive. */
  readonly #onRing = (): void => this.look();

  constructor(loop: Wakeful) {
    this.#loop = loop;
  }

  /**
   * Asks `isEnded` at once and whenever something happens to a closed queue, or one that is awaited to be empty, until
   * it says true or throws.
   */
  async until(
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
      // Only now: the methods of a signal may be anybody's.
      try {
        forget = onAbort(signal, () => settle({ error: signal?.reason }));
      } catch (error) {
        if (this.#looks.has(look)) settle({ error });
      }
      if (this.#looks.has(look)) look();
    });
  }

  /** Everyone looks again: something has happened, or the object was disposed of. */
  look(): void {
    for (const look of this.#looks) look();
  }
}

function notWithin(where: string, timeoutMs: number): SluiceError {
  return new SluiceError('ERR_SLUICE_TIMEOUT', `${where}: not within ${timeoutMs} ms`);
}
