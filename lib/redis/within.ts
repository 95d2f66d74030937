import { clearTimeout, setTimeout } from 'node:timers';
import { setTimeout as sleepFor } from 'node:timers/promises';

/** The error of a wait that took too long. It is the connection's fault: the server said nothing. */
export class Silent extends Error {}

/**
 * Waits for `promise`, at most `ms` milliseconds. When the time is over it calls `giveUp` and rejects with `Silent`;
 * whatever the promise does later means nothing.
 */
export async function within<T>(ms: number, promise: Promise<T>, giveUp?: () => void): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Silent(`no reply within ${ms} ms`));
      giveUp?.();
    }, ms);
  });
  promise.catch(() => {}); // when it is late, its rejection has no reader
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Resolves after `ms` milliseconds, or as soon as `signal` aborts. */
export async function sleep(ms: number, signal: AbortSignal): Promise<void> {
  await sleepFor(ms, undefined, { signal }).catch(() => {});
}
