import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { afterEach, describe, expect, it } from 'vitest';
import { consume } from '../../../bench/rivals/atomics-ring/consume.js';
import { record } from '../../../bench/rivals/atomics-ring/record.js';
import { Ring } from '../../../bench/rivals/atomics-ring/ring.js';

const parcelFields = /** @type {const} */ ({ producer: 'u16', sequence: 'u32', weight: 'f64' });
const Parcel = record(parcelFields);
/** @typedef {{ producer: number, sequence: number, weight: number }} Parcel */

// Numbers of first records: 20 records before positions change sign, and 20 before they return to zero.
const NEAR_SIGN_CHANGE = 2 ** 30 - 20;
const NEAR_ZERO = -20;

/** @param {number} sequence */
const parcel = (sequence) => ({ producer: 0, sequence, weight: sequence / 2 });

/** @param {number} first @param {number} count */
const parcels = (first, count) => Array.from({ length: count }, (_, i) => parcel(first + i));

/** @param {Ring<Parcel>} ring @param {number} [max] */
function drained(ring, max) {
  /** @type {number[]} */
  const sequences = [];
  ring.drain((view) => sequences.push(view.sequence), max);
  return sequences;
}

describe('a record', () => {
  const fields = /** @type {const} */ ({
    a: 'u8',
    b: 'i8',
    c: 'u16',
    d: 'i16',
    e: 'u32',
    f: 'i32',
    g: 'u53',
    h: 'f32',
    i: 'f64',
    j: 'bool',
  });
  const lowest = {
    a: 0,
    b: -128,
    c: 0,
    d: -32_768,
    e: 0,
    f: -(2 ** 31),
    g: 0,
    h: -1.5,
    i: -Number.MAX_VALUE,
    j: false,
  };
  const highest = {
    a: 255,
    b: 127,
    c: 65_535,
    d: 32_767,
    e: 2 ** 32 - 1,
    f: 2 ** 31 - 1,
    g: Number.MAX_SAFE_INTEGER,
    h: 1.5,
    i: Number.MAX_VALUE,
    j: true,
  };

  it('comes out as it went in, at both ends of every type', () => {
    const ring = Ring.create(record(fields), { capacity: 2 });
    expect(ring.tryPushMany([lowest, highest])).toBe(2);
    /** @type {unknown[]} */
    const seen = [];
    ring.drain((view) => seen.push(view.toObject()));
    expect(seen).toEqual([lowest, highest]);
  });

  it.each([
    ['a', 256],
    ['b', -129],
    ['c', -1],
    ['d', 0.5],
    ['e', 2 ** 32],
    ['f', Number.NaN],
    ['g', 2 ** 53],
    ['h', '1'],
    ['i', undefined],
    ['j', 1],
  ])('with a bad %s (%s) is refused by name, and nothing is pushed', (name, value) => {
    const ring = Ring.create(record(fields), { capacity: 2 });
    const bad = { ...lowest, [name]: value };
    expect(() => ring.tryPush(bad)).toThrow(new RegExp(`^${name}: expected`));
    expect(() => ring.tryPushMany([lowest, bad])).toThrow(new RegExp(`^${name}: expected`));
    expect(ring.drain(() => {})).toBe(0);
  });

  it('of another layout cannot attach', () => {
    const ring = Ring.create(Parcel, { capacity: 2 });
    expect(() => Ring.attach(record(fields), ring.handle)).toThrow(TypeError);
  });
});

describe.each([0, NEAR_SIGN_CHANGE, NEAR_ZERO])('a ring whose first record is number %i', (start) => {
  it.each([1, 2, 7, 50, 64])('of capacity %i holds exactly that many', (capacity) => {
    const ring = Ring.create(Parcel, { capacity, start });
    for (let lap = 0; lap < 100; lap++) {
      for (let i = 0; i < capacity; i++) expect(ring.tryPush(parcel(i))).toBe(true);
      expect(ring.tryPush(parcel(capacity))).toBe(false);
      expect(drained(ring)).toEqual(parcels(0, capacity).map((p) => p.sequence));
    }
  });

  it('takes from the front of a batch what finds room', () => {
    const ring = Ring.create(Parcel, { capacity: 50, start });
    expect(ring.tryPushMany(parcels(0, 30))).toBe(30);
    expect(ring.tryPushMany(parcels(30, 30))).toBe(20);
    expect(ring.tryPushMany(parcels(50, 1))).toBe(0);
    expect(drained(ring)).toEqual(parcels(0, 50).map((p) => p.sequence));
  });

  it('can be drained in pieces that end inside a batch', () => {
    const ring = Ring.create(Parcel, { capacity: 50, start });
    let next = 0;
    for (let lap = 0; lap < 40; lap++) {
      const first = lap * 20;
      expect(ring.tryPushMany(parcels(first, 20))).toBe(20);
      for (const max of [7, 1, 12]) {
        for (const sequence of drained(ring, max)) expect(sequence).toBe(next++);
      }
      expect(next).toBe(first + 20);
    }
  });
});

it('a producer that slept through 2^30 records does not trust the limit it remembers', () => {
  const ring = Ring.create(Parcel, { capacity: 4 });
  const sleeper = Ring.attach(Parcel, ring.handle);
  sleeper.tryPush(parcel(0));
  // Pushing that many records takes too long, so the test moves the shared words (see the layout in ring.js).
  const words = new Int32Array(ring.handle.memory);
  words[0] = words[32] = 2 ** 31 + 100;
  words[64] = 4;
  const other = Ring.attach(Parcel, ring.handle);
  expect(other.tryPushMany(parcels(0, 5))).toBe(4);
  expect(sleeper.tryPush(parcel(5))).toBe(false);
  expect(drained(other)).toEqual([0, 1, 2, 3]);
});

it.each([0, -1, 1.5, 2 ** 40])('a capacity of %d is refused', (capacity) => {
  expect(() => Ring.create(Parcel, { capacity })).toThrow(/^capacity: expected/);
});

describe('a drain', () => {
  it('frees the room of what it visited at its end, all at once', () => {
    const ring = Ring.create(Parcel, { capacity: 2 });
    ring.tryPushMany(parcels(0, 2));
    /** @type {boolean[]} */
    const during = [];
    ring.drain(() => during.push(ring.tryPush(parcel(9))));
    expect(during).toEqual([false, false]);
    expect(ring.tryPush(parcel(9))).toBe(true);
  });

  it('whose visitor throws has consumed that record and no later one', () => {
    const ring = Ring.create(Parcel, { capacity: 3 });
    ring.tryPushMany(parcels(0, 3));
    expect(() =>
      ring.drain((view) => {
        if (view.sequence === 1) throw new Error('visitor');
      }),
    ).toThrow('visitor');
    expect(drained(ring)).toEqual([2]);
  });
});

describe('a closed ring', () => {
  it('refuses pushes, and still hands out what it holds', () => {
    const ring = Ring.create(Parcel, { capacity: 4 });
    ring.tryPush(parcel(0));
    ring.close();
    ring.close();
    expect(() => ring.tryPush(parcel(1))).toThrow('closed');
    expect(() => ring.tryPushMany(parcels(1, 1))).toThrow('closed');
    expect(drained(ring)).toEqual([0]);
  });

  it('ends its consumer once it is empty', async () => {
    const ring = Ring.create(Parcel, { capacity: 4 });
    ring.tryPushMany(parcels(0, 3));
    ring.close();
    let visits = 0;
    await consume(ring, () => visits++);
    expect(visits).toBe(3);
  });

  it.each([0, NEAR_ZERO + 20])('wakes its sleeping consumer (first record %i)', async (start) => {
    const ring = Ring.create(Parcel, { capacity: 4, start });
    const consumed = consume(ring, () => {});
    await new Promise((resolve) => setTimeout(resolve, 20));
    ring.close();
    await consumed;
  });
});

describe('a consumer on an event loop', () => {
  it('passes a visitor error on, and can be started again', async () => {
    const ring = Ring.create(Parcel, { capacity: 4 });
    ring.tryPushMany(parcels(0, 2));
    ring.close();
    const consumed = consume(ring, () => {
      throw new Error('visitor');
    });
    await expect(consumed).rejects.toThrow('visitor');
    /** @type {number[]} */
    const rest = [];
    await consume(ring, (view) => rest.push(view.sequence));
    expect(rest).toEqual([1]);
  });
});

describe('with producers in other threads', () => {
  /** @type {Worker[]} */
  let workers = [];
  afterEach(async () => {
    await Promise.all(workers.map((worker) => worker.terminate()));
    workers = [];
  });

  /** @param {object} workerData */
  function startProducer(workerData) {
    const worker = new Worker(new URL('./ring-producer.js', import.meta.url), {
      workerData: { fields: parcelFields, ...workerData },
    });
    workers.push(worker);
    return worker;
  }

  it.each([
    { capacity: 50, batch: 1, each: 100_000, start: NEAR_SIGN_CHANGE },
    { capacity: 50, batch: 16, each: 200_000, start: NEAR_ZERO },
    { capacity: 65_536, batch: 1, each: 1_000_000, start: NEAR_ZERO },
    { capacity: 65_536, batch: 64, each: 2_000_000, start: NEAR_SIGN_CHANGE },
  ])('nothing is lost, doubled, altered or out of order: %o', async ({ capacity, batch, each, start }) => {
    const ring = Ring.create(Parcel, { capacity, start });
    const producers = [0, 1, 2, 3];
    const reports = producers.map((producer) =>
      once(startProducer({ handle: ring.handle, producer, batch, count: each }), 'message'),
    );
    const next = producers.map(() => 0);
    let disorder = 0;
    let visits = 0;
    let weights = 0;
    await consume(ring, (view) => {
      const { producer } = view;
      if (view.sequence !== next[producer]) disorder++;
      next[producer] = view.sequence + 1;
      weights += view.weight;
      if (++visits === each * producers.length) ring.close();
    });
    expect(disorder).toBe(0);
    expect(next).toEqual(producers.map(() => each));
    const sent = (await Promise.all(reports)).reduce((sum, [report]) => sum + report.weights, 0);
    expect(weights).toBe(sent);
  });

  it('a consumer that sleeps 10,000 times is woken 10,000 times', async () => {
    const rounds = 10_000;
    const ring = Ring.create(Parcel, { capacity: 4, start: NEAR_ZERO });
    // The producer waits for this word before each push, so every push meets a consumer that sleeps or is about to
    // sleep.
    const seen = new Int32Array(new SharedArrayBuffer(4));
    startProducer({ handle: ring.handle, producer: 0, batch: 1, count: rounds, seen });
    let visits = 0;
    await consume(ring, () => {
      if (++visits === rounds) ring.close();
      setImmediate(() => {
        Atomics.add(seen, 0, 1);
        Atomics.notify(seen, 0);
      });
    });
    expect(visits).toBe(rounds);
  });

  it('a flooded consumer lets timers fire', async () => {
    const ring = Ring.create(Parcel, { capacity: 1024 });
    startProducer({ handle: ring.handle, producer: 0, batch: 64, count: Number.POSITIVE_INFINITY });
    let ticks = 0;
    const timer = setInterval(() => {
      if (++ticks === 10) ring.close();
    }, 1);
    await consume(ring, () => {});
    clearInterval(timer);
    expect(ticks).toBeGreaterThanOrEqual(10);
  });
});
