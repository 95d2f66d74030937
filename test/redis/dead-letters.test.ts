import { deadLetterRecord } from 'sluice/dispatch';
import { RedisQueue } from 'sluice/redis';
import { afterAll, afterEach, expect, it } from 'vitest';
import { Shop } from '../dispatch/crew.js';
import { Work, work } from '../dispatch/work.js';
import { mistyped } from '../mistyped.js';
import { connect, disconnect } from './clients.js';
import { newStream } from './scene.js';
import { endServers, noRedis, Server } from './servers.js';

afterEach(disconnect);
afterAll(endServers);

it.skipIf(noRedis)('dead letters of a dispatcher go to a stream, with errors that fit', async () => {
  const server = await Server.start();
  const redis = await connect(server.port);
  const stream = newStream();
  const dead = new RedisQueue({
    redis,
    stream,
    record: deadLetterRecord(Work, { errorBytes: 20 }),
    id: 'id',
  });
  const shop = new Shop();
  shop.admit([work(1, { act: 'throw' }), work(2), work(3, { act: 'throw' })]);
  const crew = await shop.handleAll({ deadLetters: dead, retries: { max: 0 } });
  expect(crew.stats()).toMatchObject({ handled: 1, deadLettered: 2, deadLetterFailures: 0 });
  shop.expectSettled(1);
  expect(await dead.depth()).toBe(2);
  expect(dead.stats()).toMatchObject({ pushed: 2, inFlight: 0 });
});

it.skipIf(noRedis)('a stream of other records is refused as dead letters', async () => {
  const server = await Server.start();
  const redis = await connect(server.port);
  const other = new RedisQueue({ redis, stream: newStream(), record: Work, id: 'id' });
  expect(() => new Shop().dispatch({ deadLetters: mistyped(other) })).toThrow(
    'dispatch: deadLetters: expected a queue of deadLetterRecord(Order), got "one without the field error"',
  );
});
