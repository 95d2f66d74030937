import { channel } from 'node:diagnostics_channel';
import { type Backoff, backoffMs } from '../../backoff.js';
import { SluiceError } from '../../input/index.js';
import { Silent } from './within.js';

/**
 * What to do about an error of a command:
 * - 'again': the server, or the connection, cannot just now. The command may have run, or not.
 * - 'no-group': the consumer group, or the stream, is gone.
 * - 'final': it will be no different next time: no permission, a key of another type, a command that is not known.
 */
export type Fault = 'again' | 'no-group' | 'final';

/**
 * The codes of errors that pass: the server loads its file; the slot moves or has moved; the cluster has no majority; a
 * blocked client was woken because its key is gone; the server is a replica now; its master or replicas are away; a
 * script runs too long; memory is full; the disk is full or fails.
 */
const passing = new Set([
  ...['LOADING', 'MOVED', 'ASK', 'TRYAGAIN', 'CLUSTERDOWN', 'UNBLOCKED', 'READONLY'],
  ...['MASTERDOWN', 'NOREPLICAS', 'BUSY', 'OOM', 'MISCONF', 'NOSCRIPT'],
]);
/** What a server with as many connections as it may have says, without a code of its own, before it closes this one. */
const tooManyClients = /\bmax number of clients\b/;
/** After these errors another connection may reach the right server. */
const elsewhere = new Set(['UNBLOCKED', 'MOVED', 'ASK', 'READONLY']);

export function faultOf(error: unknown): Fault {
  const code = codeOf(error);
  if (code === 'NOGROUP') return 'no-group';
  return code === undefined || passing.has(code) || isTooManyClients(error) ? 'again' : 'final';
}

/** Whether the connection is of no more use, rather than the server unwilling. */
export function isOfConnection(error: unknown): boolean {
  const code = codeOf(error);
  return code === undefined || elsewhere.has(code) || isTooManyClients(error);
}

function isTooManyClients(error: unknown): boolean {
  return tooManyClients.test(error instanceof Error ? error.message : String(error));
}

/**
 * Returns the code of a server's error; undefined for an error of the connection, whose message begins with no code,
 * such as 'Socket closed unexpectedly' or 'connect ECONNREFUSED 127.0.0.1:6379'.
 */
export function codeOf(error: unknown): string | undefined {
  if (error instanceof Silent) return undefined;
  const message = error instanceof Error ? error.message : String(error);
  // Before Redis 7 the error of a command within a script stands behind that of the script.
  return /^(?:-?ERR Error running script.*?: )?(?:@user_script: ?\d+: )?-?([A-Z][A-Z0-9]+)(?= )/.exec(
    message,
  )?.[1];
}

/** Makes the error of a command that Redis refused, or that did not reach it. */
export function redisError(what: string, cause: unknown): SluiceError {
  const message = cause instanceof Error ? cause.message : String(cause);
  return new SluiceError('ERR_SLUICE_REDIS', `${what}: ${message}`, { cause });
}

/** Publishes each error of a command that is tried again: `{ error }`. */
const faults = channel('sluice:redis:fault');

export function publishFault(error: unknown): void {
  if (faults.hasSubscribers) faults.publish({ error });
}

const toServer: Backoff = { baseMs: 25, factor: 2, maxMs: 1_000, jitter: 0.5 };

/** Returns how long to wait after so many failures in a row to reach a server, in milliseconds. */
export function retryMs(failures: number): number {
  return backoffMs(toServer, failures);
}
