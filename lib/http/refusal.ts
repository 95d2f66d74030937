import type { Key, Limiter, Tier } from '../limiter/index.js';

/** A refusal, for the options `refuse` and `onRefused`. */
export interface RefusalInfo {
  /** The status of the answer: 429, or what the options say. */
  readonly status: number;
  /** The tier that refused; of a request that a client is blocked for, the tier that refused the request. */
  readonly tier: Tier;
  /** Of 'sliding-window' which one: its index in the limiter's option; 0 of a limiter with one window. */
  readonly window: number | undefined;
  /** Whether the cost exceeds all that the tier allows at one time: no waiting helps. */
  readonly oversized: boolean;
  /** Milliseconds until the request would pass if no other came: as of the limiter's decision, or of the block. */
  readonly retryAfterMs: number;
  /** The limiter's `name` among the options. */
  readonly name: string | undefined;
  readonly limiter: Limiter;
  readonly key: Key | undefined;
  readonly cost: number;
  /** Retry-After and the fields that tell of the limit: they stand on the answer, also on one by `refuse`. */
  readonly headers: Readonly<Record<string, string>>;
  /** The answer that is given without `refuse`. */
  readonly body: string;
  readonly contentType: string;
  /** Whether the limiter is a dry run (`enforce: false`): the request passes all the same. */
  readonly dryRun: boolean;
  /** For how long the client is blocked from now on, by the option `block`: 0 if it is not. */
  readonly blockedMs: number;
}

/** What the adapters answer: a refusal, or nothing to a client that is gone. */
export interface Refusal {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly contentType: string;
  /** Undefined: the client is gone, and neither `refuse` nor `onRefused` is called. */
  readonly info: RefusalInfo | undefined;
}

/** For a client that has gone away before it was decided: 499 is for the logs. */
export const gone: Refusal = Object.freeze({
  status: 499,
  headers: Object.freeze({}),
  body: '',
  contentType: 'text/plain',
  info: undefined,
});
