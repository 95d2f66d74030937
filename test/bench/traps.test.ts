import { describe, expect, it, type TestContext } from 'vitest';
import { runTrapNamed, traps } from '../../bench/traps/all.js';
import type { Figure, Result } from '../../bench/traps/trap.js';

/** A trap compiles programs and starts threads and processes, which takes much longer on a busy machine. */
const patienceMs = 280_000;

/**
 * Returns the result of a quick run of the trap. Fails if a claim that every run must show (`seen`) does not hold, or
 * if the trap has no such claim.
 */
async function quickRun(name: string): Promise<Result> {
  const result = await runTrapNamed(name, { quick: true });
  expect(result.seen.filter(({ holds }) => !holds)).toEqual([]);
  expect(result.seen).not.toEqual([]);
  return result;
}

function figure({ figures }: Result, id: string): Figure {
  const found = figures.find((one) => one.id === id);
  if (found === undefined)
    throw new Error(`no figure ${id} among ${figures.map((one) => one.id).join(', ')}`);
  return found;
}

function one(samples: Figure['naive']): number {
  if (typeof samples === 'string' || samples.length !== 1) throw new Error(`not one number: ${samples}`);
  return samples[0] as number;
}

function skipWithout(result: Result, part: RegExp, context: TestContext): void {
  const reason = result.missing.find((text) => part.test(text));
  if (reason !== undefined) context.skip(reason);
}

describe('traps', { timeout: patienceMs }, () => {
  it('are eight', () => {
    expect(traps).toHaveLength(8);
  });

  it('senders that wait without an end leak, and with maxWaiting and a time-out none is left', async () => {
    const result = await quickRun('leaked-senders');
    const { naive, sluice } = figure(result, 'leaked');
    expect(one(naive)).toBeGreaterThan(3_000);
    expect(one(sluice)).toBe(0);
  });

  it('neighbouring counters of two threads lose nothing', async () => {
    const result = await quickRun('false-sharing');
    const { naive, sluice } = figure(result, 'atomics');
    expect(one(naive)).toBeGreaterThan(0);
    expect(one(sluice)).toBeGreaterThan(0);
  });

  it('a consumer that polls looks in vain, and one that sleeps is woken once an item and once for the end', async () => {
    const result = await quickRun('yielding-loop');
    const { naive, sluice } = figure(result, 'loop/vain');
    expect(one(naive)).toBeGreaterThan(100);
    expect(one(sluice)).toBeLessThanOrEqual(101);
  });

  it('a queue without a bound ends its process, and one with a bound survives the same load', async () => {
    const result = await quickRun('unbounded-queue');
    const { naive, sluice } = figure(result, 'end');
    expect(naive).toMatch(/^SIG|^exit code [^0]/);
    expect(sluice).toBe('exit code 0');
    expect(one(figure(result, 'lost').naive)).toBeGreaterThan(10_000);
    expect(one(figure(result, 'lost').sluice)).toBe(0);
  });

  it('a segment at a misaligned address is refused', async (context) => {
    const result = await runTrapNamed('misaligned-atomics', { quick: true });
    skipWithout(result, /^there is no/, context);
    expect(result.seen.filter(({ holds }) => !holds)).toEqual([]);
    expect(result.seen).toContainEqual({
      claim: expect.stringContaining('127 of 127 misaligned addresses is refused'),
      holds: true,
    });
    skipWithout(result, /^aarch64/, context);
    expect(figure(result, 'aarch64')).toMatchObject({
      naive: 'killed by SIGBUS',
      sluice: '127 of 127 refused',
    });
  });

  it('several consumers serve orders out of sequence, and the one with the lease does not', async () => {
    const result = await quickRun('several-consumers');
    const { naive, sluice } = figure(result, 'overtaken');
    expect(one(naive)).toBeGreaterThan(0);
    expect(one(sluice)).toBe(0);
  });

  it('two steps oversell and leave ghosts, and the gate does neither', async () => {
    const result = await quickRun('two-steps');
    for (const id of ['oversold', 'ghosts-full', 'ghosts-dead']) {
      const { naive, sluice } = figure(result, id);
      expect(one(naive), id).toBeGreaterThan(0);
      expect(one(sluice), id).toBe(0);
    }
  });

  it('without a deadline requests are handled whose clients have left, and with one they expire', async () => {
    const result = await quickRun('no-ttl');
    const { naive, sluice } = figure(result, 'zombies');
    expect(one(naive)).toBeGreaterThan(one(sluice));
    expect(one(figure(result, 'expired').sluice)).toBeGreaterThan(0);
  });
});
