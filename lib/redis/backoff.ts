import type { Options } from '../input/index.js';

/** How long an order waits for its next try, or a call for its next attempt. */
export interface BackoffOptions {
  /** The wait after the first failure, in milliseconds: 1 to 86,400,000. Default: 100. */
  readonly baseMs?: number;
  /** The factor from each wait to the next: 1 to 100. Default: 2. */
  readonly factor?: number;
  /** The longest wait, in milliseconds: 1 to 86,400,000. Default: 30,000. */
  readonly maxMs?: number;
  /** The part of a wait that is random: 0 (none) to 1 (all). Default: 0.5. */
  readonly jitter?: number;
}

const dayMs = 86_400_000;

/** Returns the wait after the given number of failures, in whole milliseconds. */
export type Backoff = (failures: number) => number;

function backoffOf({ baseMs, factor, maxMs, jitter }: Required<BackoffOptions>): Backoff {
  return (failures) => {
    const longest = Math.min(maxMs, baseMs * factor ** (failures - 1));
    return Math.round(longest * (1 - jitter * Math.random()));
  };
}

export function checkedBackoff(given: Options): Backoff {
  const nested = given.nested('backoff', ['baseMs', 'factor', 'maxMs', 'jitter']);
  const options = {
    baseMs: nested?.number('baseMs', 1, dayMs, 100) ?? 100,
    factor: nested?.number('factor', 1, 100, 2) ?? 2,
    maxMs: nested?.number('maxMs', 1, dayMs, 30_000) ?? 30_000,
    jitter: nested?.number('jitter', 0, 1, 0.5) ?? 0.5,
  };
  return backoffOf(options);
}

/** The waits between attempts to reach a server that cannot just now. */
export const toServer: Backoff = backoffOf({ baseMs: 25, factor: 2, maxMs: 1_000, jitter: 0.5 });
