/**
 * Waits until the machine has nothing else to do. The influence of other programs is not noise around the right value:
 * a run on a busy machine was once wrong by a factor of 20.
 */
import { cpus } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';

/** The machine counts as idle if less than this share of all processors' time is busy. */
const BUSY_MAX = 0.1;

export class IdleGuard {
  /** How many comparisons began on an idle machine, and how many had to begin on a busy one. */
  idle = 0;
  gaveUp = 0;
  /** The highest busy share at which a comparison began. */
  busiest = 0;

  #sampleMs = 0;
  #patienceMs = 0;

  /**
   * @param {{ patienceMs: number, sampleMs: number } | undefined} limits `patienceMs`: how long the guard waits for
   *   idleness in all; after that, every wait ends at its first look. `sampleMs`: the time of each look. Without limits
   *   the guard never looks
   */
  constructor(limits) {
    if (limits === undefined) return;
    this.#patienceMs = limits.patienceMs;
    this.#sampleMs = limits.sampleMs;
  }

  /** The condition for an idle machine, as text; undefined if the guard never looks. */
  get description() {
    if (this.#sampleMs === 0) return undefined;
    return `less than ${BUSY_MAX * 100} % busy over ${this.#sampleMs / 1_000} s`;
  }

  /** Returns when the machine is idle or the patience is used up; at once if the guard never looks. */
  async wait() {
    if (this.#sampleMs === 0) return;
    for (;;) {
      const busy = await busyShare(this.#sampleMs);
      const isIdle = busy < BUSY_MAX;
      if (isIdle || this.#patienceMs <= 0) {
        if (isIdle) this.idle++;
        else this.gaveUp++;
        this.busiest = Math.max(this.busiest, busy);
        return;
      }
      this.#patienceMs -= this.#sampleMs;
    }
  }
}

/**
 * @param {number} ms
 * @returns {Promise<number>} 0 to 1
 */
async function busyShare(ms) {
  const before = processorTimes();
  await sleep(ms);
  const after = processorTimes();
  return 1 - (after.idle - before.idle) / (after.total - before.total);
}

function processorTimes() {
  let idle = 0;
  let total = 0;
  for (const { times } of cpus()) {
    idle += times.idle;
    total += times.user + times.nice + times.sys + times.irq + times.idle;
  }
  return { idle, total };
}
