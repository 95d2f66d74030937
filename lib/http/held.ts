import type { Allowed } from '../limiter/index.js';

/** The longest that a timer of Node can wait. */
export const holdMsMax: number = 2 ** 31 - 1;

/**
 * A function that ends the hold of a decision, once; further calls do nothing. It gives back what the depth tier holds,
 * and the charge as well if `refund` is true. What the depth tier holds comes back after `holdMs` at the latest, where
 * that is given; the charge waits for the end all the same.
 */
export function held(
  decision: Pick<Allowed, 'release' | 'refund'>,
  holdMs: number | undefined,
): (refund: boolean) => void {
  // The timer is the global one of the moment, which tests may have faked. Node keeps all timers of one length in one
  // list with one native timer, and so many requests cost no more of those than one.
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
