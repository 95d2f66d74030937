/** The behaviour that the baseline ring and sluice's queue have in common: one suite, run over both. */
import { f64, Queue, record as sluiceRecord, u16, u32 } from 'sluice';
import { describe, expect, it } from 'vitest';
import { record } from '../../../bench/rivals/atomics-ring/record.js';
import { Ring } from '../../../bench/rivals/atomics-ring/ring.js';

const Baseline = record(/** @type {const} */ ({ producer: 'u16', sequence: 'u32', weight: 'f64' }));
const Sluice = sluiceRecord({ producer: u16, sequence: u32, weight: f64 });

/** @typedef {{ producer: number, sequence: number, weight: number }} Parcel */

/**
 * @typedef {object} Bounded
 * @property {(parcel: Parcel) => boolean} tryPush
 * @property {(parcels: Parcel[]) => number} tryPushMany
 * @property {(visit: (view: Readonly<Parcel> & { toObject(): Parcel }) => void, max?: number) => number} drain
 * @property {() => unknown} close
 */

/** @type {{ name: string, create: (capacity: number) => Bounded, attached: (queue: any) => Bounded }[]} */
const kinds = [
  {
    name: 'the Atomics ring',
    create: (capacity) => Ring.create(Baseline, { capacity }),
    attached: (ring) => Ring.attach(Baseline, ring.handle),
  },
  {
    name: "sluice's queue",
    create: (capacity) => Queue.create(Sluice, { capacity }),
    attached: (queue) => Queue.attach(Sluice, queue.handle),
  },
];

/** @param {number} sequence @returns {Parcel} */
const parcel = (sequence) => ({ producer: 7, sequence, weight: sequence / 2 });
/** @param {number} first @param {number} count */
const parcels = (first, count) => Array.from({ length: count }, (_, i) => parcel(first + i));

/** @param {Bounded} queue @param {number} [max] */
function drained(queue, max) {
  /** @type {Parcel[]} */
  const seen = [];
  queue.drain((view) => seen.push(view.toObject()), max);
  return seen;
}

describe.each(kinds)('$name', ({ create, attached }) => {
  it.each([1, 2, 3, 50, 64, 65, 1_000])(
    'of capacity %i holds exactly that many, lap after lap',
    (capacity) => {
      const queue = create(capacity);
      for (let lap = 0; lap < 5; lap++) {
        for (const each of parcels(lap, capacity)) expect(queue.tryPush(each)).toBe(true);
        expect(queue.tryPush(parcel(0))).toBe(false);
        expect(drained(queue)).toEqual(parcels(lap, capacity));
        expect(drained(queue)).toEqual([]);
      }
    },
  );

  it.each([0, 1, 63, 64, 65, 200])('takes a batch of %i whole when there is room', (count) => {
    const queue = create(200);
    expect(queue.tryPushMany(parcels(0, count))).toBe(count);
    expect(drained(queue)).toEqual(parcels(0, count));
  });

  it('takes from the front of a batch what finds room', () => {
    const queue = create(100);
    expect(queue.tryPushMany(parcels(0, 70))).toBe(70);
    expect(queue.tryPushMany(parcels(70, 70))).toBe(30);
    expect(queue.tryPushMany(parcels(100, 1))).toBe(0);
    expect(drained(queue)).toEqual(parcels(0, 100));
  });

  it('is drained in pieces, oldest first, whatever the batches were', () => {
    const queue = create(200);
    queue.tryPushMany(parcels(0, 64));
    queue.tryPush(parcel(64));
    queue.tryPushMany(parcels(65, 35));
    expect(drained(queue, 10)).toEqual(parcels(0, 10));
    expect(drained(queue, 0)).toEqual([]);
    expect(drained(queue, 60)).toEqual(parcels(10, 60));
    expect(drained(queue)).toEqual(parcels(70, 30));
  });

  it('has consumed the record whose visit threw, and keeps the later ones', () => {
    const queue = create(10);
    queue.tryPushMany(parcels(0, 3));
    const visit = (/** @type {Readonly<Parcel>} */ { sequence }) => {
      if (sequence === 1) throw new Error('visitor');
    };
    expect(() => queue.drain(visit)).toThrow('visitor');
    expect(drained(queue)).toEqual(parcels(2, 1));
  });

  it('refuses a bad value and names its field; nothing is pushed, nor anything else of its batch', () => {
    const queue = create(10);
    const bad = { ...parcel(1), sequence: 2 ** 32 };
    expect(() => queue.tryPush(bad)).toThrow(/sequence/);
    expect(() => queue.tryPushMany([parcel(0), bad])).toThrow(/sequence/);
    expect(drained(queue)).toEqual([]);
  });

  it('keeps no reference to what was pushed', () => {
    const queue = create(2);
    const pushed = parcel(1);
    queue.tryPush(pushed);
    pushed.sequence = 99;
    expect(drained(queue)).toEqual(parcels(1, 1));
  });

  it('is one queue for all attached objects', () => {
    const queue = create(3);
    const other = attached(queue);
    queue.tryPush(parcel(0));
    expect(other.tryPushMany(parcels(1, 5))).toBe(2);
    expect(drained(queue)).toEqual(parcels(0, 3));
  });

  it('once closed refuses every push, and lets every record inside be taken', () => {
    const queue = create(2);
    queue.tryPushMany(parcels(0, 2));
    const other = attached(queue);
    queue.close();
    queue.close();
    expect(() => other.tryPush(parcel(2))).toThrow('closed');
    expect(() => other.tryPushMany(parcels(2, 1))).toThrow('closed');
    expect(drained(queue)).toEqual(parcels(0, 2));
  });
});
