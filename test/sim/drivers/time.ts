import { ManualClock } from 'sluice';
import { same } from '../divergence.js';
import type { Driver, Operation, Random } from '../operation.js';

/** The clock as both sides see it: nanoseconds since it began, which was `beganMs` milliseconds after 1970. */
export class Time {
  #now = 0;
  readonly clock: ManualClock;
  constructor(readonly beganMs: number) {
    this.clock = new ManualClock(beganMs);
  }
  get now(): number {
    return this.#now;
  }
  /** Returns milliseconds since 1970, as near as a double can be to the nanosecond. */
  shownMs(now: number): number {
    return Number(BigInt(this.beganMs) * 1_000_000n + BigInt(now)) / 1e6;
  }
  advance(ns: number): void {
    this.#now += ns;
    this.clock.advance(ns / 1e6);
    same('the clock', this.clock.now(), this.shownMs(this.#now));
  }
}

/** Up to this time, 26 days, a double of milliseconds distinguishes single nanoseconds. */
const farthest = 2 ** 51;

const jumps = [1, 1_000, 1e6, 7e6, 50e6, 333e6, 1e9, 20e9, 90e9];
const hour = 3_600e9;
const farJumps = [hour / 2, 5 * hour, 12 * hour, 24 * hour];

interface Advance extends Operation {
  readonly do: 'advance';
  readonly ns: number;
}

/** Moves the clock: often to the very moment at which something is due, or a nanosecond to either side of it. */
export class TimeDriver implements Driver {
  constructor(
    readonly time: Time,
    readonly due: () => number[],
    /** Whether the clock may move by hours, up to a day at a time. */
    readonly long: boolean,
  ) {}

  draw(random: Random, name: number): Advance {
    const ahead = this.due().filter((at) => at > this.time.now && at < farthest);
    const soon = ahead.sort((a, b) => a - b).slice(0, random.chance(0.8) ? 4 : ahead.length);
    const at = soon.length === 0 ? undefined : random.pick(soon) + random.between(-1, 1);
    const far = this.long && this.time.now < farthest && random.chance(0.5);
    const jump = random.pick(far ? farJumps : jumps);
    const exact = random.chance(this.long ? 0.4 : 0.7) && at !== undefined;
    return { driver: 'time', name, do: 'advance', ns: exact ? Math.max(0, at - this.time.now) : jump };
  }
  run(operation: Operation): void {
    this.time.advance((operation as Advance).ns);
  }
  async settle(): Promise<void> {}
  check(): void {}
  dueTimes(): number[] {
    return [];
  }
  dispose(): void {}
}
