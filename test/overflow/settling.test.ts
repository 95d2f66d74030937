import { setTimeout as sleep } from 'node:timers/promises';
import type { OpenStore } from 'sluice/overflow';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Settling } from '../../dist/overflow/settling.js';

/** What removes entries from a store, and lanes whose records the test lets leave. */
function made(lanes = 1) {
  const removed: number[] = [];
  const lane = { gone: 0 };
  const gone = [lane, { gone: 0 }];
  const decided = new Set<bigint>();
  const asked = { gone: 0, decided: 0 };
  const settling = new Settling(lanes, {
    gone: (of) => {
      asked.gone++;
      return gone[of]?.gone ?? 0;
    },
    isDecided: (reservation) => {
      asked.decided++;
      return decided.has(reservation);
    },
    removed: () => {},
    failed: (error) => expect.fail(String(error)),
  });
  const store = { remove: async (_: number, ids: readonly number[]) => void removed.push(...ids) };
  settling.begin(store as Partial<OpenStore> as OpenStore);
  onTestFinished(() => settling.end());
  const taking = (count: number) => settling.taking(() => (lane.gone += count)).held;
  return { settling, store, lane, decided, removed, asked, taking };
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

  it('stays as long as its own record may be in the ring, though the handler of another one has ended', async () => {
    const { settling, removed, taking } = made();
    settling.handed(0, entries(11), { after: 0, last: 3 }, undefined); // it is the first, the second or the third
    taking(1)?.ended();
    await sleep(aMomentMs);
    expect(removed).toEqual([]);
    taking(2)?.ended();
    await sleep(aMomentMs);
    expect(removed).toEqual([11]);
  });

  it('is no record of another lane, nor an order of a gate, for a handler of the queue', async () => {
    const { settling, removed, taking } = made(2);
    settling.handed(1, [{ id: 11, deliveries: 5 }], { after: -2, last: 4 }, undefined); // it may have left already
    settling.handed(0, [{ id: 12, deliveries: 7 }], { after: 0, last: 1 }, 1n);
    settling.handed(0, [{ id: 13, deliveries: 2 }], { after: 1, last: 2 }, undefined);
    expect(taking(1)).toBeUndefined(); // the order
    const held = taking(1);
    expect(held?.earlier).toBe(1);
    held?.ended();
    await sleep(aMomentMs);
    expect(removed).toEqual([13]);
  });

  it('is looked for until it is removed, and no longer', async () => {
    const { settling, lane, removed, asked } = made();
    settling.handed(0, entries(11), { after: 0, last: 1 }, undefined);
    await sleep(aMomentMs);
    lane.gone = 1;
    await sleep(aMomentMs);
    expect(removed).toEqual([11]);
    const before = asked.gone;
    await sleep(aMomentMs);
    expect(asked.gone).toBe(before);
  });

  it('is asked about in parts, each order in its turn, where very many are not decided', () => {
    const { settling, lane, decided, asked } = made();
    for (let i = 0; i < 1_000; i++) {
      settling.handed(0, entries(i + 1), { after: i, last: i + 1 }, BigInt(i));
    }
    lane.gone = 1_000;
    settling.look();
    expect(asked.decided).toBe(256);
    decided.add(999n);
    for (let look = 0; look < 3; look++) settling.look();
    expect(asked.decided).toBe(1_024);
    expect(settling.earlier(999n)).toBeUndefined();
    expect(settling.earlier(0n)).toBe(0);
  });

  it('is removed in calls of no more entries than a store takes', async () => {
    const { settling, store } = made();
    const calls: number[] = [];
    store.remove = async (_, ids) => void calls.push(ids.length);
    settling.remove(
      0,
      Array.from({ length: 5_000 }, (_, i) => i + 1),
    );
    settling.look();
    await settling.end();
    expect(calls).toEqual([4_096, 904]);
  });

  it('is removed after a while if that has failed, and the store is not asked all the time', async () => {
    const begunAt = performance.now();
    const failures: unknown[] = [];
    const settling = new Settling(1, {
      ...{
        gone: () => 0,
        isDecided: () => false,
        removed: () => {},
        failed: (error) => failures.push(error),
      },
    });
    const store = { remove: () => Promise.reject(new Error('no')) };
    settling.begin(store as Partial<OpenStore> as OpenStore);
    settling.remove(0, [11]);
    while (failures.length < 2) await sleep(10);
    expect(failures.length).toBeLessThanOrEqual(1 + (performance.now() - begunAt) / 250);
    await settling.end();
  });

  it('stays in the store if it is handled after the end', async () => {
    const { settling, asked, removed, taking } = made();
    settling.handed(0, entries(11), { after: 0, last: 1 }, undefined);
    settling.handed(0, entries(12), { after: 1, last: 2 }, undefined);
    const held = taking(1);
    await settling.end();
    const before = asked.gone;
    held?.ended();
    settling.handed(0, entries(13), { after: 2, last: 3 }, undefined);
    await sleep(aMomentMs);
    expect(removed).toEqual([]);
    expect(asked.gone).toBe(before);
  });

  it('keeps no process alive', async () => {
    const { settling } = made();
    const before = timers();
    settling.handed(0, entries(11), { after: 0, last: 1 }, undefined);
    expect(timers()).toBe(before);
  });
});

/** How many timers keep this process alive. */
function timers(): number {
  return process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
}
