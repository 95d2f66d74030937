import { afterEach, expect, it } from 'vitest';
import { noRedis } from '../redis/servers.js';
import { Example } from './run-example.js';

let example: Example | undefined;
afterEach(async () => {
  example?.kill('SIGKILL');
  await example?.finished;
});

it.skipIf(noRedis)(
  'sends the orders that find no room to a stream, and loses none while the server is killed',
  async () => {
    // The slow bank lets the opening burst fill the queue.
    const slowBank = ['--import', new URL('slow-bank.js', import.meta.url).href];
    const args = ['--requests', '4000', '--users', '2000', '--redis', 'spawn', '--chaos', '--json'];
    example = new Example(args, slowBank);
    const { code, stdout, stderr } = await example.finished;
    const report = JSON.parse(stdout || '{}');
    expect(report.problems, stderr).toEqual([]);
    const failing = Object.entries(report.verdicts as Record<string, { holds: boolean }>).filter(
      ([, one]) => !one.holds,
    );
    expect({ code, failing }).toEqual({ code: 0, failing: [] });
    const [, orders, kills] =
      /^(\d+) orders, (\d+) kills/.exec(report.verdicts.noneLostInStream.detail) ?? [];
    expect(Number(orders)).toBeGreaterThan(0);
    expect(Number(kills)).toBeGreaterThan(0);
    expect(report.requests.byOutcome['queue-full']).toBeUndefined();
  },
);

it('needs a URL of Redis', async () => {
  example = new Example(['--redis', 'http://127.0.0.1']);
  const { code, stderr } = await example.finished;
  expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining('--redis must be') });
});
