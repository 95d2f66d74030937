import { describe, expect, it } from 'vitest';
import { shrink } from './shrink.js';
import { explore, replay, type Trace } from './simulation.js';

const seeds = Array.from({ length: 24 }, (_, i) => i + 1);

describe('The simulator', () => {
  it.each(seeds)('seed %i: every answer is the one that the auditor predicts', async (seed) => {
    const { error } = await explore(seed, 200);
    expect(error, error?.message).toBeUndefined();
  });

  it('runs a seed the same way again', async () => {
    const [one, other] = [await recorded(7), await recorded(7)];
    expect(one.operations.length).toBeGreaterThan(50);
    expect(other).toEqual(one);
  });

  it('runs a trace, and any part of one, without its seed', async () => {
    const trace = await recorded(3);
    expect(await replay(JSON.parse(JSON.stringify(trace)))).toBeUndefined();
    for (let kept = 2; kept <= 4; kept++) {
      const operations = trace.operations.filter((_, i) => i % kept === 0);
      expect(await replay({ ...trace, operations })).toBeUndefined();
    }
  });

  it('shrinks a failure to the operations that it needs', async () => {
    const { scenario, operations } = await recorded(3);
    // An operation that no room can run, in the middle of those that all can.
    const broken = { room: 'time', name: 1_000, do: 'advance', ns: 'soon' };
    const trace = { scenario, operations: operations.toSpliced(60, 0, broken) };
    const error = (await replay(trace)) as Error;
    expect((await shrink({ trace, error })).trace.operations).toEqual([broken]);
  });
});

/** What a seed does. */
async function recorded(seed: number): Promise<Trace> {
  const { trace, error } = await explore(seed, 120);
  expect(error).toBeUndefined();
  return trace;
}
