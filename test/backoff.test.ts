import { describe, expect, it } from 'vitest';
import { backoffMs } from '../dist/backoff.js';

describe('the wait after a failure', () => {
  const backoff = { baseMs: 100, factor: 2, maxMs: 1_000, jitter: 0.5 };
  it('doubles up to the maximum, less up to half of it', () => {
    expect([1, 2, 3, 4, 5, 6, 1_000].map((n) => backoffMs(backoff, n, 0))).toEqual([
      100, 200, 400, 800, 1_000, 1_000, 1_000,
    ]);
    expect([1, 2, 6].map((n) => backoffMs(backoff, n, 0.999_999))).toEqual([
      expect.closeTo(50, 2),
      expect.closeTo(100, 2),
      expect.closeTo(500, 2),
    ]);
  });

  it('is a number after any number of failures', () => {
    const none = { ...backoff, baseMs: 0 };
    expect([1, 2, 2_000, 1_000_000].map((n) => backoffMs(none, n, 0))).toEqual([0, 0, 0, 0]);
    expect(backoffMs({ ...backoff, factor: 1_000 }, 1_000_000, 0)).toBe(1_000);
  });
});
