import { setTimeout as sleep } from 'node:timers/promises';
import { record, u32, u53, utf8 } from 'sluice';
import { type RedisPort, RedisQueue, RedisWorkers, type RedisWorkersOptions } from 'sluice/redis';

export const Order = record({ orderId: u53, sku: u32, note: utf8(24) });
export interface Order {
  orderId: number;
  sku: number;
  note: string;
}

export function order(orderId: number, note = ''): Order {
  return { orderId, sku: 1001, note };
}

let streams = 0;

/** The name of a stream that no other test uses. */
export function newStream(): string {
  streams++;
  return `shop:{t${streams}}:orders`;
}

export function queueOf(
  redis: RedisPort,
  stream: string,
  more: { maxLength?: number; rememberMs?: number } = {},
) {
  return new RedisQueue({ redis, stream, record: Order, id: 'orderId', ...more });
}

/** Workers in a hurry. */
export function workersOf(
  redis: RedisPort,
  stream: string,
  more: Partial<RedisWorkersOptions<Order>> = {},
): RedisWorkers<Order> {
  return new RedisWorkers({
    ...{ redis, stream, record: Order, group: 'cashiers', blockMs: 200, claimIdleMs: 2_000, patrolMs: 50 },
    ...{ backoff: { baseMs: 5, maxMs: 50 }, ...more },
  });
}

/** Waits until `condition` holds, and fails with `what` after ten seconds. */
export async function until(what: string, condition: () => boolean | Promise<boolean>, patienceMs = 10_000) {
  const end = performance.now() + patienceMs;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`not within ${patienceMs} ms: ${what}`);
    await sleep(5);
  }
}

/** Waits until the group has done all entries of its stream. A server that is away meanwhile is asked again. */
export async function untilDone(workers: RedisWorkers<Order>, patienceMs?: number): Promise<void> {
  const isDone = async () => (await workers.backlog().catch(() => undefined))?.entries === 0;
  await until('the stream is empty', isDone, patienceMs);
}

/** Reads the dead letters of a stream: the names and values of each. */
export async function deadLetters(redis: RedisPort, stream: string): Promise<Array<Record<string, string>>> {
  const entries = (await redis.send(['XRANGE', `${stream}:dead`, '-', '+'])) as Array<[string, string[]]>;
  return entries.map(([, fields]) =>
    Object.fromEntries(
      Array.from({ length: fields.length / 2 }, (_, i) => [fields[2 * i] ?? '', fields[2 * i + 1] ?? '']),
    ),
  );
}

/** Starts a run, and returns what ends it and waits for its end. */
export function running(
  workers: RedisWorkers<Order>,
  handler: Parameters<RedisWorkers<Order>['run']>[0],
  options: Omit<NonNullable<Parameters<RedisWorkers<Order>['run']>[1]>, 'signal'> = {},
): { end(): Promise<unknown>; ended: Promise<unknown> } {
  const controller = new AbortController();
  const ended = workers.run(handler, { ...options, signal: controller.signal }).then(
    () => undefined,
    (error: unknown) => error,
  );
  return {
    ended,
    end() {
      controller.abort(new Error('the test ends'));
      return ended;
    },
  };
}
