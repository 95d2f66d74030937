import { setTimeout as sleep } from 'node:timers/promises';
import type { OpenStore } from 'sluice/overflow';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Settling } from '../../lib/overflow/settling.js';

/** What removes entries from a store, and a lane whose records the test lets leave. */
function made() {
  const removed: number[] = [];
  const lane = { gone: 0 };
  const decided = new Set<bigint>();
  const settling = new Settling(1, {
    gone: () => lane.gone,
    isDecided: (reservation) => decided.has(reservation),
    removed: () => {},
    failed: (error) => expect.fail(String(error)),
  });
  settling.begin({ remove: async (_, ids) => void removed.push(...ids) } as Partial<OpenStore> as OpenStore);
  onTestFinished(() => settling.end());
  const taking = (count: number) => settling.taking(() => (lane.gone += count)).held;
  return { settling, lane, decided, removed, taking };
}
const entries = (...ids: number[]) => ids.map((id) => ({ id, deliveries: 1 }));
/** Longer than it takes to look. */
const aMomentMs = 30;

describe('What was stored, and is consumed', () => {
  it('is removed when its own handler has ended, whatever other handlers do', async () => {
    const { settling, removed, taking } = made();
    settling.handed(0, entries(11, 12, 13), { after: 0, last: 3 }, undefined);
    const [first, second, third] = [taking(1), taking(1), taking(1)];
    second?.ended();
    await sleep(aMomentMs);
    expect(removed).toEqual([12]);
    first?.ended();
    first?.ended();
    third?.ended();
    await sleep(aMomentMs);
    expect(removed).toEqual([12, 11, 13]);
  });

  it('stays as long as a handler may have it, where other threads have pushed at the same time', async () => {
    const { settling, removed, taking } = made();
    settling.handed(0, entries(11), { after: 1, last: 4 }, undefined); // it is the second, the third or the fourth
    expect(taking(1)).toBeUndefined(); // the first is not it
    const [second, third] = [taking(1), taking(1)];
    second?.ended();
    second?.ended(); // counts once
    await sleep(aMomentMs);
    expect(removed).toEqual([]); // the third has a handler, and the fourth is in the ring
    taking(1)?.ended();
    await sleep(aMomentMs);
    expect(removed).toEqual([]);
    third?.ended();
    await sleep(aMomentMs);
    expect(removed).toEqual([11]);
  });

  it('is removed when it has left the ring, if it was taken for no handler', async () => {
    const { settling, lane, removed, taking } = made();
    settling.handed(0, entries(11, 12), { after: 0, last: 2 }, undefined);
    lane.gone = 1;
    const held = taking(1);
    await sleep(aMomentMs);
    expect(removed).toEqual([11]);
    held?.ended();
    await sleep(aMomentMs);
    expect(removed).toEqual([11, 12]);
  });

  it('is removed when its gate has decided it, whatever the orders before it wait for', async () => {
    const { settling, lane, decided, removed } = made();
    for (const [i, reservation] of [1n, 2n, 3n].entries()) {
      settling.handed(0, [{ id: 11 + i, deliveries: 3 }], { after: i, last: i + 1 }, reservation);
    }
    expect([settling.earlier(2n), settling.earlier(9n)]).toEqual([2, undefined]);
    lane.gone = 2;
    decided.add(2n).add(3n); // the third is in the ring
    await sleep(aMomentMs);
    expect(removed).toEqual([12]);
    lane.gone = 3;
    await sleep(aMomentMs);
    expect(removed).toEqual([12, 13]);
    expect([settling.earlier(1n), settling.earlier(2n)]).toEqual([2, undefined]);
  });

  it('says how often the records of a batch were taken before', () => {
    const { settling, taking } = made();
    settling.handed(0, [{ id: 11, deliveries: 1 }], { after: 0, last: 1 }, undefined);
    settling.handed(0, [{ id: 12, deliveries: 4 }], { after: 1, last: 2 }, undefined);
    expect(taking(1)?.earlier).toBe(0);
    expect(taking(1)?.earlier).toBe(3);
  });
});
