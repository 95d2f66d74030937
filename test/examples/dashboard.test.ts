import { afterEach, expect, it } from 'vitest';
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
  const headers = { cookie: `sluice-dashboard=${searchParams.get('token')}` };
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
  expect(frame.work).toContainEqual({ name: 'Crew: workers', value: 2 });
  example.kill('SIGTERM');
  expect((await example.finished).code).toBe(0);
});
