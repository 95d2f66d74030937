import type { Allowed } from '../limiter/index.js';

/** The longest delay of a Node timer, in milliseconds. */
export const holdMsMax: number = 2 ** 31 - 1;

/**
 * Returns a function that ends the hold of a decision, once; further calls do nothing. It gives back the depth that the
 * decision holds, and also the charge if `refund` is true. With `holdMs` (milliseconds) the depth is given back after
 * that time at the latest; the charge is given back only by a call of the function.
 */
export function held(
  decision: Pick<Allowed, 'release' | 'refund'>,
  holdMs: number | undefined,
): (refund: boolean) => void {
  // Calls the current global setTimeout, because tests may have faked it. Node keeps all timers of one length in one
  // list with one native timer, so many requests need only one native timer.
  const timer = holdMs === undefined ? undefined : setTimeout(() => decision.release(), Math.ceil(holdMs));
  timer?.unref?.();
  let ended = false;
  return (refund) => {
    if (ended) return;
    ended = true;
    clearTimeout(timer);
    if (refund) decision.refund();
    else decision.release();
  };
}
