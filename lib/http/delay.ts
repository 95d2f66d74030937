import type { Options } from '../input/index.js';
import type { Decision } from '../limiter/index.js';
import type { Question } from './asking.js';
import type { Reader } from './reader.js';

export interface DelayOptions {
  /**
   * Requests wait until they pass, instead of being refused: in the order in which they came, for each key by itself, for
   * `maxMs` (1 to 3,600,000) at the longest; true is 5,000. A request is refused at once if it could not be served in that
   * time, or if as many wait already as the limiter's `maxWaiting` and `keys.maxWaitingPerKey` say. A client that goes
   * away leaves the line and is charged nothing. Default: false.
   */
  readonly delay?: boolean | { readonly maxMs: number };
}

const defaultMs = 5_000;

/** The option `delay` in milliseconds; undefined: no request waits. */
export function delayOption(given: Options): number | undefined {
  const delay = given.get('delay');
  if (delay === undefined || delay === false) return undefined;
  if (delay === true) return defaultMs;
  return given.nested('delay', ['maxMs'])?.number('maxMs', 1, 3_600_000);
}

/** Waits for a limiter. Undefined: the client has gone away meanwhile, and is charged nothing. */
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
    if (decision.allowed) decision.refund(); // the client went in the moment of its turn
    return undefined;
  } catch (error) {
    if (controller.signal.aborted) return undefined;
    throw error;
  } finally {
    forget();
  }
}
