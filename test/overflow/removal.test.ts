import { setTimeout as sleep } from 'node:timers/promises';
import type { OpenStore } from 'sluice/overflow';
import { expect, it } from 'vitest';
import { Settling } from '../../dist/overflow/settling.js';

/** A store that removes entries when the test lets it. */
class SlowStore {
  readonly removed: number[] = [];
  readonly #waiting: Array<() => void> = [];
  readonly #lanes: number[] = [];
  readonly open: OpenStore = {
    content: { lanes: [0, 0], lastId: 0, lost: 0, damage: undefined },
    append: async () => {},
    take: async () => [],
    remove: async (lane, ids) => {
      this.#lanes.push(lane);
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
      this.removed.push(...ids);
    },
    close: async () => {},
  };

  /** Waits until a removal from `lane` has begun. */
  async begun(lane: number): Promise<void> {
    while (!this.#lanes.includes(lane)) await sleep(1);
  }

  /** Lets the next removal end. */
  async next(): Promise<void> {
    while (this.#waiting.length === 0) await sleep(1);
    this.#waiting.shift()?.();
  }
}

function made(): { store: SlowStore; settling: Settling } {
  const store = new SlowStore();
  const settling = new Settling(2, {
    gone: () => 0,
    isDecided: () => true,
    removed: () => {},
    failed: () => {},
  });
  settling.begin(store.open);
  return { store, settling };
}

/** Returns a removal from lane 1 that has begun, while an entry of lane 0 has come, whose turn was over. */
async function latecomer(): Promise<ReturnType<typeof made>> {
  const { store, settling } = made();
  settling.remove(0, [1]);
  settling.remove(1, [2]);
  await store.next();
  await store.begun(1);
  settling.remove(0, [3]);
  return { store, settling };
}

it('entries of a lane that come while another lane is being removed from the store are removed, too', async () => {
  const { store, settling } = await latecomer();
  await sleep(30); // longer than it takes to look for entries that can be removed
  await store.next(); // lane 1
  await store.next(); // without a further call
  await settling.end();
  expect(store.removed).toEqual([1, 2, 3]);
});

it('such entries are removed before the end', async () => {
  const { store, settling } = await latecomer();
  let hasEnded = false;
  const ending = settling.end().then(() => {
    hasEnded = true;
  });
  await store.next();
  await sleep(10);
  expect(hasEnded).toBe(false); // the third one's removal runs
  await store.next();
  await ending;
  expect(store.removed).toEqual([1, 2, 3]);
});
