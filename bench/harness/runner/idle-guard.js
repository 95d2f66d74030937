/**
 * Waits until the machine has nothing else to do. What other programs take from a measurement is not noise around
 * the truth: a run on a busy machine was seen to be wrong by 20 times.
 */
import { cpus } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';

/** The share of all processors' time that may be taken, at the most. */
const BUSY_MAX = 0.1;

export class IdleGuard {
  /** How many comparisons began on an idle machine, and how many had to begin on a busy one. */
  idle = 0;
  gaveUp = 0;
  /** The highest share that a comparison began at. */
  busiest = 0;

  #sampleMs = 0;
  #patienceMs = 0;

  /**
   * @param {{ patienceMs: number, sampleMs: number } | undefined} limits `patienceMs`: to wait for idleness in all;
   *   once used up, every look is the last. `sampleMs`: of each look. Without limits it never looks
   */
  constructor(limits) {
    if (limits === undefined) return;
    this.#patienceMs = limits.patienceMs;
    this.#sampleMs = limits.sampleMs;
  }

  /** What it takes for idle; undefined: it does not look. */
  get description() {
    if (this.#sampleMs === 0) return undefined;
    return `less than ${BUSY_MAX * 100} % busy over ${this.#sampleMs / 1_000} s`;
  }

  /** Returns when the machine is idle, or the patience is at its end. */
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
