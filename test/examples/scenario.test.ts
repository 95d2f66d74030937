import { describe, expect, it } from 'vitest';
import { bodyOf, fieldToBlame, visits } from '../../examples/flash-sale/scenario.js';

const SIZE = { requests: 20_000, users: 500 };

describe('the traffic of a sale', () => {
  it('is the same every time', () => {
    expect([...visits(SIZE)]).toEqual([...visits(SIZE)]);
  });

  it.each([1, 2, 3, 4, 5, 50, 999])('is exactly %i requests long when asked to be', (requests) => {
    expect([...visits({ requests, users: 3 })].flatMap((visit) => visit.requests)).toHaveLength(requests);
  });

  it('has requests of every kind', () => {
    const kinds = new Set([...visits(SIZE)].flatMap((visit) => visit.requests.map(({ kind }) => kind)));
    expect([...kinds].sort()).toEqual([
      'malformed',
      'order',
      'oversized',
      'retry',
      'reused-id',
      'too-many',
      'unknown-item',
    ]);
  });

  it('stays within the users', () => {
    const users = [...visits(SIZE)].flatMap((visit) => visit.requests.map(({ order }) => order.user));
    expect(Math.min(...users)).toBe(1);
    expect(Math.max(...users)).toBe(SIZE.users);
  });

  it('has double clicks: the same user wants the same under two ids, both in flight together', () => {
    const doubles = [...visits(SIZE)].filter(({ together }) => together);
    expect(doubles.length).toBeGreaterThan(SIZE.requests / 20);
    for (const [first, second] of doubles.map(({ requests }) => requests)) {
      if (second === undefined) continue; // the plan ends before the second request
      expect({ ...second.order, id: 0 }).toEqual({ ...first?.order, id: 0 });
      expect(second.order.id).not.toBe(first?.order.id);
    }
  });

  it('has retries with the same body, and reused ids with another', () => {
    for (const { requests } of visits(SIZE)) {
      const [first, second] = requests;
      if (first === undefined || second === undefined) continue;
      if (second.kind === 'retry') expect(bodyOf(second)).toBe(bodyOf(first));
      if (second.kind === 'reused-id') {
        expect(second.order.id).toBe(first.order.id);
        expect(bodyOf(second)).not.toBe(bodyOf(first));
      }
    }
  });

  it('has malformed bodies for each field, and bodies that are not JSON', () => {
    const malformed = [...visits(SIZE)]
      .flatMap((visit) => visit.requests)
      .filter(({ kind }) => kind === 'malformed');
    expect([...new Set(malformed.map(fieldToBlame))].sort()).toEqual([
      'body',
      'id',
      'quantity',
      'sku',
      'user',
    ]);
    expect(malformed.some((planned) => bodyOf(planned).endsWith('}') === false)).toBe(true);
  });
});
