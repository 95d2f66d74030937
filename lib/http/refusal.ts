import type { Key, Limiter, Tier } from '../limiter/index.js';

/** A refusal, for the options `refuse` and `onRefused`. */
export interface RefusalInfo {
  /** The status of the answer: 429, or as the options define. */
  readonly status: number;
  /** The tier that refused. For the request that causes a block, it is the tier that refused that request. */
  readonly tier: Tier;
  /**
   * The index in the limiter's option of the window that refused, for the tier 'sliding-window'; 0 if there is one
   * window.
   */
  readonly window: number | undefined;
  /** Whether the cost exceeds all that the tier allows at one time, so that waiting does not help. */
  readonly oversized: boolean;
  /**
   * Milliseconds, from the decision on, until the request would pass if no other came, or until the block ends if that
   * is later.
   */
  readonly retryAfterMs: number;
  /** The limiter's `name` among the options. */
  readonly name: string | undefined;
  /** The limiter that refused. */
  readonly limiter: Limiter;
  /** The key of the request; undefined for a limiter without keys. */
  readonly key: Key | undefined;
  /** The cost that the request would have been charged. */
  readonly cost: number;
  /** Retry-After and the fields that report the limit. Every answer has them, also one that `refuse` gives. */
  readonly headers: Readonly<Record<string, string>>;
  /** The body of the answer that is sent without `refuse`. */
  readonly body: string;
  /** The content type of `body`. */
  readonly contentType: string;
  /** Whether the limiter is a dry run (`enforce: false`): the request passes all the same. */
  readonly dryRun: boolean;
  /** How long, in milliseconds, the option `block` blocks the client from now on; 0 if it does not. */
  readonly blockedMs: number;
}

/** The answer that the adapters send: a refusal, or `gone`. */
export interface Refusal {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly contentType: string;
  /** Undefined for `gone`: neither `refuse` nor `onRefused` is called. */
  readonly info: RefusalInfo | undefined;
}

/**
 * For a request that can no longer be answered, because its client has disconnected or other code has answered it. The
 * client gets nothing of this; 499 is for the logs.
 */
export const gone: Refusal = Object.freeze({
  status: 499,
  headers: Object.freeze({}),
  body: '',
  contentType: 'text/plain',
  info: undefined,
});
