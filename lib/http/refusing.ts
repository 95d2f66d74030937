import { isPromise } from './promises.js';

/** How long `refuse` may take to answer, in frameworks where it may answer later. */
const refuseMs = 10_000;

/** How `seeAnswered` checks and completes an answer that `refuse` should give. */
export interface Answering {
  isAnswered(): boolean;
  /** Sends the default answer. */
  answer(): void;
  /** Hands an error to the framework. */
  failed(error: unknown): void;
  /** Calls `ended` when the response has ended. */
  onEnd(ended: () => void): void;
}

/**
 * Makes sure that a request is answered after `refuse` has returned `result`. `refuse` may answer later; if there is no
 * answer after ten seconds, the default answer is sent.
 */
export function seeAnswered(result: unknown, answering: Answering): void {
  if (isPromise(result)) result.then(undefined, (error) => answering.failed(error));
  if (answering.isAnswered()) return;
  // Calls the current global setTimeout, because tests may have faked it.
  const timer = setTimeout(() => {
    if (!answering.isAnswered()) answering.answer();
  }, refuseMs);
  timer.unref?.();
  answering.onEnd(() => clearTimeout(timer));
}
