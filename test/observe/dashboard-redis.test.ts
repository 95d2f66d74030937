import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dashboard } from 'sluice/dashboard';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { connect, disconnect } from '../redis/clients.js';
import { newStream, order, queueOf, running, workersOf } from '../redis/scene.js';
import { endServers, Server, servers } from '../redis/servers.js';
import { type Frame, frames } from './frames.js';
import { shop } from './shop.js';

afterEach(disconnect);
afterAll(endServers);

describe.each(servers)('The dashboard, on $binary', ({ binary, missing }) => {
  let server: Server;
  beforeAll(async () => {
    if (!missing) server = await Server.start(binary);
  });

  it.skipIf(missing)('shows the stream, its group, its dead letters and its consumers', async () => {
    const redis = await connect(server.port);
    const stream = newStream();
    const queue = queueOf(redis, stream);
    const workers = workersOf(redis, stream, { consumer: 'till', maxDeliveries: 2 });
    const { queue: ring } = shop();
    const board = dashboard({ queue: ring, redis: { queue, workers }, intervalMs: 100 });
    const http = createServer(board.handler);
    await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
    const address = `http://127.0.0.1:${(http.address() as AddressInfo).port}/?token=${board.token}`;
    const figure = ({ redis: figures = [] }: Frame, name: string) =>
      figures.find((one) => one.name === name)?.value;

    let release: (() => void) | undefined;
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    const seen: Frame[] = [];
    let run: ReturnType<typeof running> | undefined;
    for await (const frame of frames(address)) {
      if (seen.length === 0 && figure(frame, 'Entries in the stream') === 0) {
        seen.push(frame);
        await queue.pushMany([1, 2, 3].map((id) => order(id)));
        await queue.push(order(1)); // a duplicate
        run = running(
          workers,
          async ({ orderId }) => {
            if (orderId === 3) throw new Error('never');
            await released;
          },
          { concurrency: 3 },
        );
      } else if (seen.length === 1 && figure(frame, 'Dead letters') === 1) {
        if (figure(frame, 'Pending: read and not done') !== 2) continue;
        seen.push(frame);
        release?.();
      } else if (seen.length === 2 && figure(frame, 'Entries in the stream') === 0) {
        seen.push(frame);
        break;
      }
    }
    await run?.end();
    board.close();
    http.close();
    expect(seen[0]?.workers.filter(({ name }) => name.startsWith('Redis'))).toEqual([]);
    expect(seen[0]?.redis?.map(({ name }) => name)).not.toContain('Workers: handled');
    expect(seen[1]?.redis).toEqual(
      expect.arrayContaining([
        { name: 'Entries in the stream', value: 2 },
        { name: 'Not read yet', value: 0 },
        { name: 'Waiting for another try', value: 0 },
        { name: 'Queue: pushed', value: 3 },
        { name: 'Queue: duplicates', value: 1 },
        { name: 'Queue: retries', value: 0 },
        { name: 'Workers: failed', value: 2 },
        { name: 'Workers: deadLetters', value: 1 },
      ]),
    );
    expect(seen[1]?.workers).toContainEqual({
      name: expect.stringMatching(/^Redis: till/),
      state: 'up',
      inHand: 2,
    });
    expect(seen[1]?.notices).toEqual([{ isAlarm: false, text: 'Dead letters in Redis: 1.' }]);
  });

  it.skipIf(missing)('sees no consumers of a group that is not there', async () => {
    const redis = await connect(server.port);
    const stream = newStream();
    expect(await workersOf(redis, stream).consumers()).toEqual([]);
    await queueOf(redis, stream).push(order(1));
    expect(await workersOf(redis, stream).consumers()).toEqual([]);
  });

  it.skipIf(missing)('cannot see the consumers of a key that is no stream', async () => {
    const redis = await connect(server.port);
    const stream = newStream();
    await redis.send(['SET', stream, 'x']);
    await expect(workersOf(redis, stream).consumers()).rejects.toMatchObject({ code: 'ERR_SLUICE_REDIS' });
  });
});
