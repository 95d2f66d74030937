import type { Present } from './present.js';
import type { RateLimit } from './rate-limits.js';

/** What a policy reads of a request and its response, and where it notes what it has decided. */
export interface Reader {
  /** The objects that stand for the request, whichever middleware is asked about it. */
  readonly identities: readonly object[];
  /** The client's address as a key. */
  address(): string;
  /** A header field of the request by its name in lower case, or ''. */
  header(name: string): string;
  /** Of the response. */
  readonly present: Present;
  /** What limiters have decided about the request so far: the list that its handlers find. */
  rateLimits(): RateLimit[];
  /** What the framework calls the response, for functions among the options. */
  response(): unknown;
  /** Whether the client has gone, or the answer has been begun: then the request cannot be answered any more. */
  isGone(): boolean;
  /** Calls `gone` when the client goes away, at most once. Returns what ends that. */
  whenGone(gone: () => void): () => void;
}
