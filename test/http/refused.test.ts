/** Refusals are reported to a callback of the options and to a diagnostics channel. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { setTimeout as delay } from 'node:timers/promises';
import { Limiter, ManualClock } from 'sluice';
import type { RefusalInfo } from 'sluice/http';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { closedAfterEach } from './closing.js';
import { frameworks, type SharedOptions } from './frameworks.js';

const closing = closedAfterEach();
const listeners: Array<[string, (message: unknown) => void]> = [];
afterEach(() => {
  for (const [name, listener] of listeners.splice(0)) unsubscribe(name, listener);
  vi.restoreAllMocks();
});
/** Returns a list, to which each further message of a channel is added. */
function heard<T>(name: string): T[] {
  const messages: T[] = [];
  const listener = (message: unknown): void => {
    messages.push(message as T);
  };
  subscribe(name, listener);
  listeners.push([name, listener]);
  return messages;
}
interface Told {
  readonly request: unknown;
  readonly info: RefusalInfo;
}
interface Failure {
  readonly request: unknown;
  readonly option: string;
  readonly error: Error;
}
const bucket = (more: object = {}) =>
  Limiter.create({ tokenBucket: { ratePerSecond: 0.1, burst: 1 }, clock: new ManualClock(), ...more });

describe.each(Object.entries(frameworks))('told of a refusal: %s', (_name, start) => {
  const asking = async (options: SharedOptions, ...further: SharedOptions[]) => {
    const running = await start(options, async () => ({ status: 200, body: 'fine' }), ...further);
    closing.push(running);
    return async () => {
      const response = await fetch(running.url);
      return [response.status, await response.text()];
    };
  };
  const refused = [429, '{"error":"rate limited"}'];

  it('are a callback and a channel, with the request and what was decided', async () => {
    const messages = heard<Told>('sluice:http:refused');
    const called: Told[] = [];
    const limiter = bucket({ keys: { max: 5 } });
    const subjects: unknown[] = [];
    const ask = await asking({
      limiter,
      name: 'buy',
      key: (request) => {
        subjects.push(request);
        return 'ann';
      },
      onRefused: (info, request) => called.push({ info, request }),
    });
    expect(await ask()).toEqual([200, 'fine']);
    expect([messages, called]).toEqual([[], []]);
    expect(await ask()).toEqual(refused);
    expect(called).toHaveLength(1);
    expect(called[0]?.info).toMatchObject({ name: 'buy', key: 'ann', tier: 'token-bucket', dryRun: false });
    expect(called[0]?.info).toMatchObject({ limiter, cost: 1, retryAfterMs: 10_000, status: 429 });
    expect(called[0]?.request).toBe(subjects[1]);
    expect(messages).toHaveLength(1);
    expect(messages[0]?.info).toBe(called[0]?.info);
    expect(messages[0]?.request).toBe(subjects[1]);
  });

  it('hear of what a dry run would have refused', async () => {
    const called: RefusalInfo[] = [];
    const limiter = bucket({ enforce: false });
    const ask = await asking({ limiter, onRefused: (info) => called.push(info) });
    expect([await ask(), await ask()]).toEqual([
      [200, 'fine'],
      [200, 'fine'],
    ]);
    expect(called).toMatchObject([
      {
        dryRun: true,
        tier: 'token-bucket',
        status: 429,
        retryAfterMs: 10_000,
        headers: { 'Retry-After': '10' },
      },
    ]);
  });

  it('hear of each limiter of a request', async () => {
    const messages = heard<Told>('sluice:http:refused');
    const dry = bucket({ enforce: false });
    const ask = await asking({ limiter: dry, name: 'dry' }, { limiter: bucket(), name: 'own' });
    await ask();
    expect(await ask()).toEqual(refused);
    expect(messages.map(({ info }) => [info.name, info.dryRun])).toEqual([
      ['dry', true],
      ['own', false],
    ]);
  });

  it('change no answer by what they throw: a channel reports it, and once a warning', async () => {
    const failures = heard<Failure>('sluice:http:callback-failed');
    const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    let isAsync = false;
    const limiter = bucket();
    const ask = await asking({
      limiter,
      onRefused: () => {
        const error = new Error(isAsync ? 'later' : 'at once');
        if (isAsync) return Promise.reject(error);
        throw error;
      },
    });
    await ask();
    expect(await ask()).toEqual(refused);
    isAsync = true;
    expect(await ask()).toEqual(refused);
    while (failures.length < 2) await delay(1);
    expect(failures.map(({ option, error }) => [option, error.message])).toEqual([
      ['onRefused', 'at once'],
      ['onRefused', 'later'],
    ]);
    const ours = warned.mock.calls.filter(([, options]) => JSON.stringify(options).includes('SLUICE_HTTP'));
    expect(ours).toHaveLength(1);
    expect(ours[0]?.[0]).toContain('onRefused has failed: Error: at once');
  });
});
