import { clearTimeout, setTimeout } from 'node:timers';
import { onAbort } from '../../input/index.js';

/** The error of a wait that took too long. It is the connection's fault: the server said nothing. */
export class Silent extends Error {}

/**
 * Waits for `promise`, at most `ms` milliseconds. When the time is over it rejects with `Silent`; what the promise does
 * later has no effect.
 */
export async function within<T>(ms: number, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Silent(`no reply within ${ms} ms`)), ms);
  });
  promise.catch(() => {}); // when it is late, its rejection has no reader
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** A pause that another part of the program can end early. */
export class Pause {
  #end: (() => void) | undefined;

  /** Resolves after `ms` milliseconds, or when `end()` is called, or when `signal` aborts. Leaves no listener there. */
  async for(ms: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    let timer: NodeJS.Timeout | undefined;
    let forget = (): void => {};
    await new Promise<void>((resolve) => {
      timer = setTimeout(resolve, ms);
      forget = onAbort(signal, resolve);
      this.#end = resolve;
    });
    this.#end = undefined;
    clearTimeout(timer);
    forget();
  }

  end(): void {
    this.#end?.();
  }
}

/** Resolves after `ms` milliseconds, or as soon as `signal` aborts. */
export async function sleep(ms: number, signal: AbortSignal): Promise<void> {
  await new Pause().for(ms, signal);
}
