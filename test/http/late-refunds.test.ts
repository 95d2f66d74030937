/** When a response ends, only the charge of its own request is given back, and only while that charge is in force. */
import { setTimeout as delay } from 'node:timers/promises';
import { Limiter, type LimiterOptions, ManualClock } from 'sluice';
import { describe, expect, it } from 'vitest';
import { closedAfterEach } from './closing.js';
import { frameworks } from './frameworks.js';

const closing = closedAfterEach();
async function until(done: () => boolean): Promise<void> {
  while (!done()) await delay(1);
}

/** Each tier allows five requests in a second. */
const tiers: Record<string, LimiterOptions> = {
  'an exact window': { slidingWindow: { limit: 5, windowMs: 1_000, exact: true } },
  'a window': { slidingWindow: { limit: 5, windowMs: 1_000 } },
  'a bucket': { tokenBucket: { ratePerSecond: 5, burst: 5 } },
};

describe.each(Object.entries(frameworks))('%s', (_name, start) => {
  describe.each(Object.entries(tiers))('%s', (_tier, options) => {
    const serve = async (count: 'failed' | 'successful') => {
      const clock = new ManualClock();
      const limiter = Limiter.create({ ...options, queueDepth: { max: 100 }, clock });
      const slow: Array<() => void> = [];
      const running = await start({ limiter, count }, async (path) => {
        if (path === '/slow') await new Promise<void>((resolve) => slow.push(resolve));
        return { status: path === '/bad' ? 404 : 200, body: 'x' };
      });
      closing.push(running);
      const ended = () => until(() => limiter.stats().inFlight === 0);
      /** Returns the statuses of five requests, sent one after the other. */
      const five = async (path: string): Promise<number[]> => {
        const statuses: number[] = [];
        while (statuses.length < 5) {
          const response = await fetch(running.url + path);
          await response.arrayBuffer();
          statuses.push(response.status);
        }
        return statuses;
      };
      /** Starts five requests. The handler of each waits until its function in `slow` is called. */
      const open = async (controller = new AbortController()) => {
        const before = slow.length;
        const { signal } = controller;
        const answers = Array.from({ length: 5 }, () =>
          fetch(`${running.url}/slow`, { signal }).then(
            async (response) => {
              await response.arrayBuffer();
              return response.status;
            },
            () => 0,
          ),
        );
        await until(() => slow.length === before + 5);
        return answers;
      };
      return { clock, limiter, slow, ended, five, open };
    };
    const all = (status: number) => Array<number>(5).fill(status);

    it('lets no failures through for slow successes of an earlier second', async () => {
      const { clock, slow, ended, five, open } = await serve('failed');
      const answers = await open();
      clock.advance(1_500);
      expect(await five('/bad')).toEqual(all(404));
      for (const answer of slow) answer();
      expect(await Promise.all(answers)).toEqual(all(200));
      await ended();
      expect(await five('/bad')).toEqual(all(429));
    });

    it('lets no successes through for requests that were aborted after a second', async () => {
      const { clock, ended, five, open, slow } = await serve('successful');
      for (let round = 0; round < 3; round++) {
        const controller = new AbortController();
        const answers = await open(controller);
        clock.advance(1_500);
        expect(await five('/good')).toEqual(all(200));
        controller.abort();
        expect(await Promise.all(answers)).toEqual(all(0));
        await ended();
        for (const answer of slow) answer();
        expect(await five('/good')).toEqual(all(429));
        clock.advance(1_500);
      }
    });

    it.each(['failed', 'successful'] as const)(
      'gives nothing back to a client that goes away: %s',
      async (count) => {
        const { ended, five, open } = await serve(count);
        const controller = new AbortController();
        const answers = await open(controller);
        controller.abort();
        expect(await Promise.all(answers)).toEqual(all(0));
        await ended();
        expect(await five('/good')).toEqual(all(429));
      },
    );

    it('gives back what is still in force', async () => {
      const { slow, ended, five, open } = await serve('failed');
      const answers = await open();
      expect(await five('/good')).toEqual(all(429));
      for (const answer of slow) answer();
      expect(await Promise.all(answers)).toEqual(all(200));
      await ended();
      expect(await five('/bad')).toEqual(all(404));
      expect(await five('/bad')).toEqual(all(429));
    });

    it('gives nothing back of what was charged before a reset', async () => {
      const { limiter, slow, ended, five, open } = await serve('failed');
      const answers = await open();
      limiter.reset();
      expect(await five('/bad')).toEqual(all(404));
      for (const answer of slow) answer();
      expect(await Promise.all(answers)).toEqual(all(200));
      await ended();
      expect(await five('/bad')).toEqual(all(429));
    });
  });
});
