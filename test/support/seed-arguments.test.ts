import { describe, expect, it } from 'vitest';
import { BadArgument, seedRange, wholeNumber } from './seed-arguments.js';

describe('The arguments of the simulators', () => {
  it('name one seed or several', () => {
    expect(seedRange('7', '1-100')).toEqual([7, 7]);
    expect(seedRange(undefined, '3-5')).toEqual([3, 5]);
    expect(seedRange(undefined, '9')).toEqual([9, 9]);
  });

  it.each(['x', '', '-1', '1.5', '1e3', '4294967296', ' 1'])('are not the seed "%s"', (seed) => {
    expect(() => seedRange(seed, '1-100')).toThrow(BadArgument);
    expect(() => seedRange(seed, '1-100')).toThrow(`--seed: expected a whole number from 0 to 4294967295`);
  });

  it.each(['5-1', '1-', '-5', '1-2-3', 'a-b', ''])('are not the seeds "%s"', (seeds) => {
    expect(() => seedRange(undefined, seeds)).toThrow(BadArgument);
    expect(() => seedRange(undefined, seeds)).toThrow(/^--seeds: /);
  });

  it.each(['x', '0', '11'])('have no number of steps "%s"', (steps) => {
    expect(() => wholeNumber('--steps', steps, 1, 10)).toThrow(
      `--steps: expected a whole number from 1 to 10, got "${steps}"`,
    );
  });
});
