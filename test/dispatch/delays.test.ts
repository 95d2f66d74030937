import { describe, expect, it } from 'vitest';
import { Delays } from '../../dist/dispatch/delays.js';
import { replay, seed } from '../seed.js';
import { SeededRandom } from '../seeded-random.js';

/** A time that tests move, with the timers that are set. */
class ManualTiming {
  time = 0;
  readonly timers = new Set<{ at: number; call: () => void }>();
  /** How many timers were set at the same time, at most. */
  most = 0;

  now(): number {
    return this.time;
  }

  after(ms: number, call: () => void): () => void {
    const timer = { at: this.time + ms, call };
    this.timers.add(timer);
    this.most = Math.max(this.most, this.timers.size);
    return () => this.timers.delete(timer);
  }

  /** Runs the timers that are due until `time`, each at its own time. */
  moveTo(time: number): void {
    for (;;) {
      const [next] = [...this.timers].filter(({ at }) => at <= time).sort((a, b) => a.at - b.at);
      if (next === undefined) break;
      this.timers.delete(next);
      this.time = Math.max(this.time, next.at);
      next.call();
    }
    this.time = time;
  }
}

describe('delays', () => {
  it('are called in the order of their time, never early, with one timer for all', () => {
    const random = new SeededRandom(seed);
    const timing = new ManualTiming();
    const delays = new Delays(timing);
    const called: Array<{ due: number; added: number }> = [];
    let added = 0;
    for (let step = 0; step < 2_000; step++) {
      if (random.chance(0.7)) {
        const ms = random.below(500);
        const delay = { due: timing.time + ms, added: added++ };
        delays.add(ms, () => {
          expect(timing.time, replay).toBeGreaterThanOrEqual(delay.due);
          expect(timing.time, replay).toBeLessThanOrEqual(Math.max(delay.due, timing.time) + 1);
          called.push(delay);
        });
      } else timing.moveTo(timing.time + random.below(60));
    }
    timing.moveTo(timing.time + 1_000);
    expect(called.length, replay).toBe(added);
    const sorted = called.toSorted((a, b) => a.due - b.due || a.added - b.added);
    expect(called, replay).toEqual(sorted);
    expect(timing.most).toBe(1);
    expect([delays.size, timing.timers.size]).toEqual([0, 0]);
  });

  it('that a delay adds are called later, even if they are due at once', () => {
    const timing = new ManualTiming();
    const delays = new Delays(timing);
    const called: string[] = [];
    delays.add(10, () => {
      delays.add(0, () => called.push('inner'));
      called.push('outer');
    });
    timing.moveTo(10);
    expect(called).toEqual(['outer']);
    timing.moveTo(11);
    expect(called).toEqual(['outer', 'inner']);
  });

  it('may be longer than a timer can be', () => {
    const timing = new ManualTiming();
    const delays = new Delays(timing);
    let calls = 0;
    const ms = 2 ** 31 + 1_000;
    delays.add(ms, () => calls++);
    expect([...timing.timers].map(({ at }) => at)).toEqual([2 ** 31 - 1]);
    timing.moveTo(ms - 1);
    expect(calls).toBe(0);
    timing.moveTo(ms);
    expect(calls).toBe(1);
  });

  it('are not called after clear()', () => {
    const timing = new ManualTiming();
    const delays = new Delays(timing);
    delays.add(5, () => expect.unreachable());
    delays.clear();
    expect(timing.timers.size).toBe(0);
    timing.moveTo(100);
  });
});
