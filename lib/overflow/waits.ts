import { onAbort } from '../input/index.js';

/** Callers that wait for something that happens in this thread. */
export class Waits {
  readonly #waiting = new Set<() => void>();

  /** Makes every wait look again. */
  wake(): void {
    for (const go of this.#waiting) go();
  }

  /** Resolves when `isSo` returns true, and rejects when it throws, or with the signal's reason. */
  async until(isSo: () => boolean, signal: AbortSignal | undefined): Promise<void> {
    for (;;) {
      signal?.throwIfAborted();
      if (isSo()) return;
      await new Promise<void>((resolve) => {
        let forget = (): void => {};
        const go = (): void => {
          this.#waiting.delete(go);
          forget();
          resolve();
        };
        this.#waiting.add(go);
        forget = onAbort(signal, go);
      });
    }
  }
}
