import type { Complete, Options } from './input/index.js';

/** How long an order waits after a failure, before its next attempt. */
export interface BackoffOptions {
  /** The wait after the first failure, in milliseconds: 0 to 86,400,000. Default: 100. */
  readonly baseMs?: number | undefined;
  /** The factor from each wait to the next: 1 to 1,000. Default: 2. */
  readonly factor?: number | undefined;
  /** The longest wait, in milliseconds: 0 to 86,400,000. Default: 30,000. */
  readonly maxMs?: number | undefined;
  /** The largest part of a wait that is left out at random: 0 (none) to 1 (all). Default: 0.5. */
  readonly jitter?: number | undefined;
}

/** The options, checked. */
export type Backoff = Complete<BackoffOptions>;

const dayMs = 86_400_000;

/** Reads the option `backoff` of `given`. */
export function checkedBackoff(given: Options | undefined): Backoff {
  const backoff = given?.nested('backoff', ['baseMs', 'factor', 'maxMs', 'jitter']);
  return {
    baseMs: backoff?.number('baseMs', 0, dayMs, 100) ?? 100,
    factor: backoff?.number('factor', 1, 1_000, 2) ?? 2,
    maxMs: backoff?.number('maxMs', 0, dayMs, 30_000) ?? 30_000,
    jitter: backoff?.number('jitter', 0, 1, 0.5) ?? 0.5,
  };
}

/** Returns the wait after the n-th failure (1, 2, ...), in milliseconds. `random`: from 0, below 1. */
export function backoffMs(
  { baseMs, factor, maxMs, jitter }: Backoff,
  failures: number,
  random: number = Math.random(),
): number {
  const growth = Math.min(factor ** (failures - 1), Number.MAX_VALUE); // 0 times Infinity would be NaN
  return Math.min(maxMs, baseMs * growth) * (1 - jitter * random);
}
