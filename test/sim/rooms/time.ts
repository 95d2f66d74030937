import type { ManualClock } from 'sluice';
import { same } from '../divergence.js';
import type { Operation, Random, Room } from '../operation.js';

/** The clock as both sides see it: nanoseconds since it began. */
export class Time {
  #now = 0;
  constructor(readonly clock: ManualClock) {}
  get now(): number {
    return this.#now;
  }
  advance(ns: number): void {
    this.#now += ns;
    this.clock.advance(ns / 1e6);
    same('the clock', Math.round(this.clock.now() * 1e6), this.#now);
  }
}

interface Advance extends Operation {
  readonly do: 'advance';
  readonly ns: number;
}

/** Time goes by: mostly to the very moment at which something is due, or a nanosecond to either side of it. */
export class TimeRoom implements Room {
  constructor(
    readonly time: Time,
    readonly due: () => number[],
  ) {}

  draw(random: Random, name: number): Advance {
    const ahead = this.due().filter((at) => at > this.time.now);
    const soon = ahead.sort((a, b) => a - b).slice(0, 4);
    const at = soon.length === 0 ? undefined : random.pick(soon) + random.between(-1, 1);
    const jump = random.pick([1, 1_000, 1e6, 7e6, 50e6, 333e6, 1e9, 20e9, 90e9]);
    const exact = random.chance(0.7) && at !== undefined;
    return { room: 'time', name, do: 'advance', ns: exact ? Math.max(0, at - this.time.now) : jump };
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
