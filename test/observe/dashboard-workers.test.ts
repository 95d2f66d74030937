import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { Gate, Queue, Stock } from 'sluice';
import { dashboard } from 'sluice/dashboard';
import { dispatch } from 'sluice/dispatch';
import { afterEach, describe, expect, it } from 'vitest';
import { fields, Order, order } from '../gate/order.js';
import { mistyped } from '../mistyped.js';
import { type Frame, frames } from './frames.js';

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

type Options = Partial<Parameters<typeof dashboard>[0]>;

/** Yields the frames of a page. */
async function* watched(options: Options): AsyncGenerator<Frame> {
  const board = dashboard({ queue: Queue.create(Order, { capacity: 8 }), intervalMs: 100, ...options });
  const server = createServer(board.handler);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  yield* frames(`http://127.0.0.1:${port}/?token=${board.token}`);
}

/** Returns the first frame for which `holds`. */
async function frameOf(options: Options, holds: (frame: Frame) => boolean): Promise<Frame> {
  for await (const frame of watched(options)) if (holds(frame)) return frame;
  throw new Error('the stream ended');
}

const row = (frame: Frame, name: string) => frame.workers.find((one) => one.name === name);

describe('the workers on the dashboard', () => {
  it('begin with this process: its processor time and its memory', async () => {
    const frame = await frameOf({}, ({ workers }) => (workers[0]?.processors ?? 0) > 0);
    expect(frame.workers).toEqual([
      {
        name: `this process: ${process.pid}`,
        state: 'up',
        processors: expect.any(Number),
        rssBytes: expect.any(Number),
      },
    ]);
    expect(frame.workers[0]?.rssBytes).toBeGreaterThan(10 * 2 ** 20);
  });

  it('are threads, whose event loops are shown, and end', async () => {
    const code =
      "require('node:worker_threads').parentPort.on('message', () => {}); while (true) setImmediate; ";
    const [busy, idle] = [
      new Worker(code, { eval: true }),
      new Worker('setInterval(() => {}, 1e3)', { eval: true }),
    ];
    await Promise.all([once(busy, 'online'), once(idle, 'online')]);
    const seen: Frame[] = [];
    for await (const frame of watched({ workers: () => ({ busy, idle }) })) {
      // The start of a thread keeps its loop busy, too.
      const isIdle = (row(frame, 'idle')?.busy ?? 1) < 0.5;
      if (seen.length === 0 && isIdle && (row(frame, 'busy')?.busy ?? 0) > 0.5) {
        seen.push(frame);
        await busy.terminate();
      } else if (row(frame, 'busy')?.state === 'ended') {
        seen.push(frame);
        break;
      }
    }
    expect(row(seen[1] as Frame, 'busy')).toEqual({ name: 'busy', state: 'ended' });
    await idle.terminate();
  });

  it.runIf(process.platform === 'linux')('are processes, by their numbers, and end', async () => {
    const child = spawn(process.execPath, ['-e', 'for (;;);'], { stdio: 'ignore' });
    const name = `till: ${child.pid}`;
    const gone = once(child, 'close');
    const seen: Frame[] = [];
    for await (const frame of watched({ workers: () => ({ till: child.pid ?? 0, none: 2 ** 22 + 1 }) })) {
      if (seen.length === 0 && (row(frame, name)?.processors ?? 0) > 0) {
        seen.push(frame);
        child.kill('SIGKILL');
        await gone;
      } else if (row(frame, name)?.state === 'ended') {
        seen.push(frame);
        break;
      }
    }
    expect(row(seen[0] as Frame, name)?.rssBytes).toBeGreaterThan(2 ** 20);
    expect(seen[1]?.workers).toContainEqual({ name: `none: ${2 ** 22 + 1}`, state: 'ended' });
  });

  it('are the workers of a crew, each with what it has and has done', async () => {
    const queue = Queue.create(Order, { capacity: 100 });
    const stock = Stock.create({ items: [{ sku: 1, quantity: 100 }] });
    const gate = Gate.create({ queue, stock, fields });
    const handler = new URL('./workers/quiet-handler.js', import.meta.url);
    const crew = dispatch(gate, { workers: 2, handler, deadLetters: () => {} });
    await crew.ready;
    for (let id = 1; id <= 40; id++) gate.admit(order(id));
    const handled = (frame: Frame) =>
      [0, 1].reduce((sum, i) => sum + (row(frame, `Crew: worker ${i}`)?.handled ?? 0), 0);
    const frame = await frameOf({ queue, crew }, (one) => handled(one) === 40);
    expect(row(frame, 'Crew: worker 1')).toMatchObject({ state: 'up', inHand: 0, busy: expect.any(Number) });
    expect(frame.crew).toContainEqual({ name: 'Crew: handled', value: 40 });
    expect(frame.crew).toContainEqual({ name: 'Crew: workers', value: 2 });
    queue.close();
    await crew.done;
    expect(crew.stats().workers.every(({ busyMs }) => busyMs === 0)).toBe(true);
  });

  it('are an alarm, and not the end of the process, if their functions fail', async () => {
    const crew = {
      stats: () => {
        throw new Error(`no stats ${'x'.repeat(1_000)}`);
      },
    };
    const options = { crew, workers: () => null, redis: { queue: { stats: () => null, depth: () => 1 } } };
    const { notices, queue } = await frameOf(mistyped(options), () => true);
    expect(queue).toBeDefined();
    expect(notices.map(({ isAlarm, text }) => [isAlarm, text.slice(0, 60)])).toEqual([
      [true, expect.stringMatching(/^The figures of the option workers cannot be read: /)],
      [true, expect.stringMatching(/^The figures of the option crew cannot be read: no stats/)],
      [true, expect.stringMatching(/^The figures of the option redis cannot be read: /)],
    ]);
    expect(Math.max(...notices.map(({ text }) => text.length))).toBeLessThan(300);
  });

  it('are at most a hundred, with names of a bounded length; figures are at most fifty', async () => {
    const many = <T>(count: number, value: T) =>
      Object.fromEntries(Array.from({ length: count }, (_, i) => [`${i} ${'x'.repeat(1_000)}`, value]));
    const crew = { stats: () => many(10_000, 'y'.repeat(1_000)) };
    const frame = await frameOf(mistyped({ crew, workers: () => many(10_000, 0) }), () => true);
    expect(frame.workers).toHaveLength(1 + 100);
    expect(frame.crew).toHaveLength(50);
    expect(JSON.stringify(frame).length).toBeLessThan(64 * 1_024);
  });
});

describe('Redis on the dashboard', () => {
  it('is asked one question at a time, and is an alarm if it does not answer', async () => {
    let asked = 0;
    const queue = {
      stats: () => ({ pushed: 3, retries: 2 }),
      depth: () => {
        asked++;
        return new Promise<number>(() => {});
      },
    };
    const options = mistyped({ redis: { queue } });
    const { redis, notices } = await frameOf(options, (frame) => frame.notices.length > 0);
    expect(asked).toBe(1);
    expect(redis).toEqual([
      { name: 'Entries in the stream', value: null },
      { name: 'Queue: pushed', value: 3 },
      { name: 'Queue: retries', value: 2 },
    ]);
    expect(notices).toEqual([
      { isAlarm: true, text: expect.stringMatching(/^Redis has not answered for 5 s\.$/) },
    ]);
  });

  it('says why it does not answer, and is asked again', async () => {
    let asked = 0;
    const queue = {
      stats: () => ({}),
      depth: async () => {
        if (++asked < 60) throw new Error('connect ECONNREFUSED');
        await sleep(1);
        return 7;
      },
    };
    const seen: Frame[] = [];
    for await (const frame of watched(mistyped({ redis: { queue } }))) {
      if (seen.length === 0 && frame.notices.length > 0) seen.push(frame);
      if (seen.length > 0 && frame.notices.length === 0) {
        seen.push(frame);
        break;
      }
    }
    expect(seen[0]?.notices[0]?.text).toBe('Redis has not answered for 5 s: connect ECONNREFUSED.');
    expect(seen[1]?.redis).toEqual([{ name: 'Entries in the stream', value: 7 }]);
  });
});
