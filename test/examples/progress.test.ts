import { describe, expect, it } from 'vitest';
import { bar, line } from '../../examples/flash-sale/progress.js';

const standing = { answered: 25_000, total: 100_000, admitted: 512 };

describe('the progress', () => {
  it('is a line with the share of the requests, their rate and the number of admitted orders', () => {
    expect(line(standing, 5)).toBe('25 %  25,000 of 100,000 requests, 5,000/s, 512 admitted');
  });

  it.each([10, 40, 60, 70, 80, 120, 200])('fits a terminal of %i columns', (columns) => {
    expect(bar(standing, 5, columns).length).toBeLessThan(columns);
  });

  it('fills a quarter of the bar after a quarter of the requests', () => {
    expect(bar(standing, 5, 120)).toContain(`${'█'.repeat(10)}${'░'.repeat(30)} 25 %`);
  });
});
