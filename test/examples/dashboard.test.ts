import { afterEach, expect, it } from 'vitest';
import { frames } from '../observe/frames.js';
import { noRedis } from '../redis/servers.js';
import { Example } from './run-example.js';

let example: Example | undefined;
afterEach(async () => {
  example?.kill('SIGKILL');
  await example?.finished;
});

it('--dashboard prints the address of a page that shows the sale, and ends with it', {
  timeout: 60_000,
}, async () => {
  example = new Example(['--serve', '--workers', '2', '--dashboard', '--json']);
  const [, address = ''] = await example.printed(/dashboard: (http:\S+)\n/);
  const { port, searchParams } = new URL(address);
  const page = `http://127.0.0.1:${port}/`;
  expect((await fetch(page)).status).toBe(401);
  const opened = await fetch(`${page}?token=${searchParams.get('token')}`, { redirect: 'manual' });
  const headers = { cookie: opened.headers.get('set-cookie')?.split(';')[0] ?? '' };
  expect(await (await fetch(page, { headers })).text()).toContain('<title>Flash sale</title>');
  const events = await fetch(`${page}events`, { headers });
  let text = '';
  for await (const part of events.body ?? []) {
    text += Buffer.from(part).toString();
    if (/event: frame\n.*\n\n/.test(text)) break;
  }
  const frame = JSON.parse(/event: frame\ndata: (.*)\n\n/.exec(text)?.[1] ?? '{}');
  expect(frame).toMatchObject({ queue: { capacity: 32, waits: {} }, inHand: 0 });
  expect(frame.stock).toHaveLength(3);
  expect(frame.crew).toContainEqual({ name: 'Crew: workers', value: 2 });
  expect(frame.workers.map(({ name }: { name: string }) => name)).toEqual([
    expect.stringMatching(/^this process: \d+$/),
    ...['Crew: worker 0', 'Crew: worker 1'],
  ]);
  example.kill('SIGTERM');
  expect((await example.finished).code).toBe(0);
});

it.skipIf(noRedis)(
  '--dashboard with --redis shows the stream, its server and its cashier',
  { timeout: 60_000 },
  async () => {
    example = new Example(['--serve', '--redis', 'spawn', '--dashboard', '--json']);
    const [, address = ''] = await example.printed(/dashboard: (http:\S+)\n/);
    const wanted = [/^cashier$/, /^cashier of the stream$/, /^redis-server: \d+$/];
    for await (const { redis, workers } of frames(address.replace('localhost', '127.0.0.1'))) {
      const names = workers.map(({ name }) => name);
      if (!wanted.every((one) => names.some((name) => one.test(name))) || redis?.[0]?.value !== 0) continue;
      expect(redis).toContainEqual({ name: 'Dead letters', value: 0 });
      break;
    }
    example.kill('SIGTERM');
    expect((await example.finished).code).toBe(0);
  },
);
