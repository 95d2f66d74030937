import { isPromise } from './promises.js';

/** How long `refuse` of a framework in which it may answer at any time has for it. */
const refuseMs = 10_000;

/** What is asked and done of an answer that `refuse` is to give. */
export interface Answering {
  isAnswered(): boolean;
  /** The answer without `refuse`. */
  answer(): void;
  /** Hands an error to the framework. */
  failed(error: unknown): void;
  /** Calls `ended` when the response has ended. */
  onEnd(ended: () => void): void;
}

/**
 * Sees to it that a request is answered that `refuse` was called for, whose result this is: it may answer later. If it
 * has not after ten seconds, the answer is the one without it.
 */
export function seeAnswered(result: unknown, answering: Answering): void {
  if (isPromise(result)) result.then(undefined, (error) => answering.failed(error));
  if (answering.isAnswered()) return;
  // The global one of the moment, which tests may have faked.
  const timer = setTimeout(() => {
    if (!answering.isAnswered()) answering.answer();
  }, refuseMs);
  timer.unref?.();
  answering.onEnd(() => clearTimeout(timer));
}
