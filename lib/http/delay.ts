import type { Options } from '../input/index.js';
import type { Decision } from '../limiter/index.js';
import type { Question } from './asking.js';
import type { Reader } from './reader.js';

export interface DelayOptions {
  /**
   * Requests wait until the limiter allows them, instead of being refused. They pass in the order in which they came,
   * separately for each key, and wait at most `maxMs` (1 to 3,600,000); `true` means a `maxMs` of 5,000. A request is
   * refused at once if it could not pass in that time, or if as many requests wait already as the limiter's
   * `maxWaiting` or `keys.maxWaitingPerKey` lets wait. A client that disconnects no longer waits and is charged
   * nothing. Default: false.
   */
  readonly delay?:
    | boolean
    | {
        /** The longest wait, in milliseconds: 1 to 3,600,000. */
        readonly maxMs: number;
      }
    | undefined;
}

const defaultMs = 5_000;

/** Returns the option `delay` in milliseconds, or undefined if no request waits. */
export function delayOption(given: Options): number | undefined {
  const delay = given.get('delay');
  if (delay === undefined || delay === false) return undefined;
  if (delay === true) return defaultMs;
  return given.nested('delay', ['maxMs'])?.number('maxMs', 1, 3_600_000);
}

/**
 * Waits for a limiter. Returns undefined if the request can no longer be answered then, because its client has
 * disconnected or other code has answered it; then nothing stays charged.
 */
export async function delayed(
  { limiter, key, cost }: Question,
  timeoutMs: number,
  read: Reader,
): Promise<Decision | undefined> {
  const controller = new AbortController();
  const forget = read.whenGone(() => controller.abort());
  try {
    const decision = await limiter.acquire({ key, cost, timeoutMs, signal: controller.signal });
    if (!read.isGone()) return decision;
    if (decision.allowed) decision.refund(); // the request was given up, or answered, just as its turn came
    return undefined;
  } catch (error) {
    if (controller.signal.aborted) return undefined;
    throw error;
  } finally {
    forget();
  }
}
