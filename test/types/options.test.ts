// With `exactOptionalPropertyTypes`, a program can pass `undefined` for an option only if its type says so.

import { readFileSync } from 'node:fs';
import { Limiter } from 'sluice';
import { expect, it } from 'vitest';
import { listFiles } from '../../scripts/files.js';

/** Interfaces of options under other names. */
const others =
  /^(?:StockItem|RedisStockItem|PartFields|SlidingWindow|CalendarWindow|\w+Changes|ObservedParts|ObservedRedis)$/;

it('an option that another one excludes may be undefined, and nothing else', () => {
  const exact = { limit: 5, windowMs: 100, exact: true, buckets: undefined };
  const limiter = Limiter.create({ slidingWindow: [exact, { limit: 9, every: 'day', exact: undefined }] });
  expect(() => Limiter.create({ slidingWindow: { ...exact, buckets: 2 } })).toThrow(
    'unknown option "buckets"',
  );
  limiter.configure({ slidingWindow: [{}, { limit: 8, windowMs: undefined }] });
  expect(limiter.limits().windows).toMatchObject([{ limit: 5 }, { limit: 8 }]);
});

it('every option may be given as undefined, which is its default', () => {
  const options: string[] = [];
  const without: string[] = [];
  for (const file of listFiles(['lib'])) {
    const text = readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8');
    for (const [, name = '', body = ''] of text.matchAll(/^export interface (\w+)[^{]*\{\n(.*?)^\}/gms)) {
      if (!name.endsWith('Options') && !others.test(name)) continue;
      // A type of several lines ends where the next member of the same indentation, or less, begins.
      const members = body
        .replace(/ *\/\*\*.*?\*\/\n?/gs, '')
        .matchAll(/^(?=( +)(?:readonly )?(\w+)\?:\s(.*?);$(?!\n\1 ))/gms);
      for (const [, , member = '', type = ''] of members) {
        options.push(member);
        if (!/\b(?:undefined|unknown)$/.test(type)) without.push(`${file}: ${name}.${member}: ${type}`);
      }
    }
  }
  expect(options.length).toBeGreaterThan(200);
  expect(without).toEqual([]);
});
