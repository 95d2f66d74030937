import { channel, tracingChannel } from 'node:diagnostics_channel';
import type { Hold } from './hold.js';

/** Publishes each order that a gate has admitted: `{ gate, order, admission }`. */
const admitted = channel('sluice:gate:admitted');
/** Publishes each order that a gate has refused, for whatever reason: `{ gate, order, admission }`. */
const refused = channel('sluice:gate:refused');

/**
 * Publishes each call of a handler: `{ order, hold, by }`, and `result` or `error` when it has ended. The names of its
 * channels are `tracing:sluice:gate:handle:start`, `:end`, `:asyncStart`, `:asyncEnd` and `:error`.
 */
const handling = tracingChannel<unknown, Handling>('sluice:gate:handle');

/** The message of a call of a handler. */
interface Handling {
  readonly order: unknown;
  readonly hold: Hold;
  /** What has called the handler: `gate.consume`, a worker of a crew, or `RedisWorkers`. */
  readonly by: 'gate' | 'dispatch' | 'redis';
  readonly result?: unknown;
  readonly error?: unknown;
}

/** Whether the answers of `admit` are published. */
export function isHeard(): boolean {
  return admitted.hasSubscribers || refused.hasSubscribers;
}

/** Publishes the answer to an order, if its channel has subscribers. */
export function publishAdmission(
  gate: object,
  order: unknown,
  admission: { readonly outcome: string },
): void {
  const published = admission.outcome === 'admitted' ? admitted : refused;
  if (published.hasSubscribers) published.publish({ gate, order, admission });
}

/** Calls a handler, and publishes the call if anyone listens. */
export function handled<T>(
  handler: (order: T, hold: Hold) => unknown,
  order: T,
  hold: Hold,
  by: Handling['by'],
): unknown {
  if (!handling.hasSubscribers) return handler(order, hold);
  return handling.tracePromise(async () => handler(order, hold), { order, hold, by });
}
