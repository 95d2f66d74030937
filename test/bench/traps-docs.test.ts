import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { traps } from '../../bench/traps/all.js';
import { withFigures } from '../../bench/traps/docs.js';
import { ratioOf, row } from '../../bench/traps/text.js';
import type { Figure, Result } from '../../bench/traps/trap.js';

const docs = readFileSync(new URL('../../docs/guide/traps.md', import.meta.url), 'utf8');

function resultOf(trap: string, figures: Figure[]): Result {
  return { trap, title: 'a title', figures, seen: [], series: [], missing: ['perf <here>'] };
}

const figure: Figure = {
  id: 'a',
  what: 'a figure',
  unit: 'ns',
  naive: [30, 20, 40],
  sluice: [10],
  atLeast: 2,
};

describe('figures of the traps', () => {
  it('have a place for each trap in docs/guide/traps.md', () => {
    for (const trap of traps) {
      const written = withFigures(docs, resultOf(trap, [figure]), 'a machine');
      expect(written).toContain('| a figure | 30.0 ns (20.0 ns to 40.0 ns) | 10.0 ns | 3.00 x (>= 2: met) |');
      expect(written).toContain('Not measured: perf &lt;here>.\n');
    }
  });

  it('are written in the place of those that were there', () => {
    const once = withFigures(docs, resultOf('no-ttl', [figure]), 'a machine');
    const twice = withFigures(once, resultOf('no-ttl', [figure]), 'a machine');
    expect(twice).toBe(once);
  });

  it('are refused if their place is not there', () => {
    expect(() => withFigures('no markers', resultOf('no-ttl', []), 'a machine')).toThrow('figures of no-ttl');
  });

  it('are compared by the medians, in the direction of their unit', () => {
    expect(ratioOf(figure)).toBe(3);
    expect(ratioOf({ ...figure, unit: '1/s' })).toBeCloseTo(1 / 3);
    expect(row({ ...figure, unit: '1/s' })[3]).toBe('0.33 x (>= 2: MISSED)');
  });

  it('are not compared when they are words, when the divisor is 0, or when the trap forbids it', () => {
    expect(ratioOf({ ...figure, naive: 'SIGABRT' })).toBeUndefined();
    expect(ratioOf({ ...figure, sluice: [0] })).toBeUndefined();
    expect(ratioOf({ ...figure, compare: false })).toBeUndefined();
  });
});
