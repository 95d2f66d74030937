import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { fileURLToPath } from 'node:url';
import { Limiter, ManualClock } from 'sluice';
import { addressKey, type LimitOptions, limit } from 'sluice/http';
import { afterEach, describe, expect, it } from 'vitest';
import { listening, type Running } from '../http/frameworks.js';

const text = readFileSync(fileURLToPath(new URL('../../docs/guide/http.md', import.meta.url)), 'utf8');
const closing: Running[] = [];
afterEach(async () => {
  await Promise.all(closing.splice(0).map((running) => running.close()));
});

/** Returns the rows of the table whose head begins with `head`: for each cell, the code in it. */
function rows(head: string): string[][][] {
  const [, after = ''] = text.split(`\n| ${head} |`);
  const [table = ''] = after.split('\n\n');
  const lines = table.split('\n').slice(2);
  expect(lines.length).toBeGreaterThan(5);
  return lines.map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => [...cell.matchAll(/`([^`]*)`/g)].map(([, code]) => code as string)),
  );
}

/** Returns the answer to the last of `count` requests. All the middlewares limit each request. */
async function answer(count: number, ...options: LimitOptions<IncomingMessage>[]): Promise<Response> {
  const middlewares = options.map((one) => limit(one));
  const from = (at: number, request: IncomingMessage, response: ServerResponse): void => {
    const next = middlewares[at];
    if (next === undefined) response.end();
    else next(request, response, () => from(at + 1, request, response));
  };
  const running = await listening(createServer((request, response) => from(0, request, response)));
  closing.push(running);
  for (let i = 1; i < count; i++) await (await fetch(running.url)).text();
  return fetch(running.url);
}
const window = (max: number) => ({ slidingWindow: { limit: max, windowMs: 60_000 } });
const clock = new ManualClock();

describe('docs/guide/http.md', () => {
  it('shows the fields of its two limiters', async () => {
    const all = Limiter.create({ ...window(1_000), clock });
    const strict = Limiter.create({ tokenBucket: { ratePerSecond: 0.1, burst: 2 }, ...window(4), clock });
    const { status, headers } = await answer(
      3,
      { limiter: all, name: 'all' },
      { limiter: strict, name: 'buy' },
    );
    expect(status).toBe(429);
    for (const field of ['RateLimit-Policy', 'RateLimit']) {
      expect(text).toContain(`\n${field}: ${headers.get(field)}\n`);
    }
  });

  it('shows the fields of each form', async () => {
    for (const [[first = ''] = [], fields = []] of rows('`headers`')) {
      const form = (first === 'false' ? false : first.slice(1, -1)) as LimitOptions<never>['headers'] & {};
      const { headers } = await answer(2, {
        limiter: Limiter.create({ ...window(5), clock }),
        headers: form,
      });
      const shown = fields.filter((field) => field.includes(': '));
      for (const field of shown) {
        const [name = '', value = ''] = field.split(': ');
        if (name !== 'X-RateLimit-Reset') expect(headers.get(name), field).toBe(value);
        else expect(headers.get(name)).toHaveLength(value.length);
      }
      const told = [...headers.keys()].filter((name) => name.includes('ratelimit'));
      if (first === 'false') expect(told).toEqual([]);
      else expect(told.length).toBeGreaterThanOrEqual(2);
    }
  });

  it('shows the key of each address', () => {
    for (const [addresses = [], [key] = []] of rows('address')) {
      expect(addresses.length).toBeGreaterThan(0);
      for (const address of addresses) expect(addressKey(address), address).toBe(key);
    }
  });
});
