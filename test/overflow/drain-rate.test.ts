import { describe, expect, it } from 'vitest';
import { DrainRate } from '../../dist/overflow/drain-rate.js';

/** A lane whose consumer takes `perMs` records each millisecond, over a time that the test moves. */
class Lane {
  readonly rate = new DrainRate();
  now = 0;
  gone = 0;
  depth = 0;

  /** Lets time go by, and returns the wait to be expected then. */
  after(ms: number, perMs: number): number {
    this.now += ms;
    const taken = Math.min(this.depth, Math.floor(ms * perMs));
    this.gone += taken;
    this.depth -= taken;
    return this.look();
  }

  look(): number {
    const perMs = this.rate.perMs(this.now, this.gone, this.depth);
    return perMs === undefined || this.depth === 0 ? 0 : this.depth / perMs;
  }
}

describe('The wait that a lane lets expect', () => {
  it('is none while no rate is known, though nothing was consumed for some milliseconds', () => {
    const lane = new Lane();
    lane.depth = 1_000;
    expect(lane.look()).toBe(0);
    expect(lane.after(20, 0)).toBe(0);
    expect(lane.after(20, 0)).toBe(0);
  });

  it('is without end when nothing is consumed for longer', () => {
    const lane = new Lane();
    lane.depth = 10;
    lane.look();
    expect(lane.after(60, 0)).toBe(Infinity);
  });

  it('is the depth divided by the rate', () => {
    const lane = new Lane();
    lane.depth = 1_000;
    lane.look();
    for (let i = 0; i < 10; i++) lane.after(10, 2);
    expect(lane.after(10, 2)).toBeCloseTo(lane.depth / 2, 5);
  });

  it('follows a consumer that becomes slower, within the time that the rate remembers', () => {
    const lane = new Lane();
    lane.depth = 100_000;
    lane.look();
    for (let i = 0; i < 10; i++) lane.after(10, 100);
    const before = lane.look();
    for (let i = 0; i < 15; i++) lane.after(10, 1);
    expect(lane.look() / before).toBeGreaterThan(10);
  });

  it('is none in an empty lane, and a lane that runs empty makes no consumer look slow', () => {
    const lane = new Lane();
    lane.depth = 100;
    lane.look();
    lane.after(10, 5);
    lane.after(10, 5);
    expect(lane.look()).toBe(0);
    lane.after(1_000, 5);
    lane.depth = 100;
    expect(lane.look()).toBeCloseTo(20, 5);
  });

  it('counts no time in which the lane was empty, and no time in which it ran empty against its consumer', () => {
    const rate = new DrainRate();
    expect(rate.perMs(0, 0, 0)).toBeUndefined();
    expect(rate.perMs(100, 0, 10)).toBeUndefined(); // nothing was there to be consumed
    expect(rate.perMs(110, 100, 10)).toBe(10);
    expect(rate.perMs(120, 105, 0)).toBe(10); // five were all that there were
  });
});
