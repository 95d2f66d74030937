import type { RedisPort } from 'sluice/redis';
import { expect, it } from 'vitest';
import { newStream, order, queueOf, workersOf } from './scene.js';

/** A server, or something between it and the client, that answers every command with `reply()`. */
function answering(reply: () => unknown): RedisPort {
  const port: RedisPort = {
    send: async () => reply(),
    duplicate: async () => port,
    close() {},
  };
  return port;
}

const wrong = [
  ...[null, undefined, 7, 'OK', {}, Object.create(null), new Map(), []],
  ...[['s'], ['s1'], ['x1-1'], ['stored'], [null], [['s1-1']], [Object.create(null)], ['s1-1', 's1-2']],
];

it.each(wrong.map((reply) => [reply]))(
  'a push that is answered with %j may be stored, or not',
  async (reply) => {
    const orders = queueOf(
      answering(() => reply),
      newStream(),
    );
    await expect(orders.push(order(1), { timeoutMs: 40 })).rejects.toMatchObject({
      code: 'ERR_SLUICE_TIMEOUT',
    });
    await expect(orders.pushMany([order(1)], { timeoutMs: 40 })).rejects.toMatchObject({
      code: 'ERR_SLUICE_TIMEOUT',
    });
    expect(orders.stats()).toMatchObject({ pushed: 0, duplicates: 0, full: 0, mismatches: 0, inFlight: 0 });
  },
);

it('a push asks again when the answer is none of a push', async () => {
  const replies: unknown[] = [null, ['nothing'], ['d1-1']];
  const orders = queueOf(
    answering(() => replies.shift()),
    newStream(),
  );
  expect(await orders.push(order(1))).toEqual({ entry: '1-1', duplicate: true });
});

it.each([[null], ['OK'], [-1], [{}]])('a depth that is answered with %j is an error', async (reply) => {
  const orders = queueOf(
    answering(() => reply),
    newStream(),
  );
  await expect(orders.depth()).rejects.toMatchObject({ code: 'ERR_SLUICE_REDIS' });
});

it.each([
  [[{ name: 'till', pending: 1 }]],
  [[{ name: 'till', pending: -1, idle: 3 }]],
  [[['name', 'till', 'pending', 'some', 'idle', 3]]],
  [[7]],
])('consumers that are answered with %j are an error', async (reply) => {
  const workers = workersOf(
    answering(() => reply),
    newStream(),
  );
  await expect(workers.consumers()).rejects.toMatchObject({ code: 'ERR_SLUICE_REDIS' });
});
