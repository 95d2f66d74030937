import type { Present } from './present.js';
import type { RateLimit } from './rate-limits.js';

/** Gives a policy access to a request and its response, and to the list for its decisions. */
export interface Reader {
  /** The objects that identify the request in every middleware. */
  readonly identities: readonly object[];
  /** The client's address as a key. */
  address(): string;
  /** Returns a header field of the request, by its name in lower case, or ''. */
  header(name: string): string;
  /** Reads the header fields of the response. */
  readonly present: Present;
  /** Returns the list of decisions about the request so far, which its handlers read. */
  rateLimits(): RateLimit[];
  /** Returns the framework's response object, for functions among the options. */
  response(): unknown;
  /** Whether the client has disconnected. */
  hasLeft(): boolean;
  /** Whether the request can no longer be answered: the client has disconnected, or the answer has begun. */
  isGone(): boolean;
  /**
   * Calls `gone` at most once: when the client disconnects, or when the response of node:http ends in any other way.
   * Returns a function that cancels the call.
   */
  whenGone(gone: () => void): () => void;
}
