// With `exactOptionalPropertyTypes`, a program can pass `undefined` for an option only if its type says so.

import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { listFiles } from '../../scripts/files.js';

/** Interfaces of options under other names. */
const others =
  /^(?:StockItem|RedisStockItem|PartFields|SlidingWindow|CalendarWindow|\w+Changes|ObservedParts|ObservedRedis)$/;

it('every option may be given as undefined, which is its default', () => {
  const options: string[] = [];
  const without: string[] = [];
  for (const file of listFiles(['lib'])) {
    const text = readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8');
    for (const [, name = '', body = ''] of text.matchAll(/^export interface (\w+)[^{]*\{\n(.*?)^\}/gms)) {
      if (!name.endsWith('Options') && !others.test(name)) continue;
      // The type of a member whose type is an object ends in the line of its brace.
      const members = body.replace(/\/\*\*.*?\*\//gs, '').matchAll(/^ +(?:readonly )?(\w+)\?:\s(.*?);$/gms);
      for (const [, member = '', type = ''] of members) {
        options.push(member);
        const isObject = /\{\s/.test(type) && !type.includes('}');
        if (!isObject && !/\bundefined$/.test(type)) without.push(`${file}: ${name}.${member}: ${type}`);
      }
    }
  }
  expect(options.length).toBeGreaterThan(150);
  expect(without).toEqual([]);
});
