/** A sample counts by the share of this time, in milliseconds, that it lasted: the rate follows changes within it. */
const memoryMs = 50;
/** The shortest time between two samples, in milliseconds. */
const sampleMs = 1;

/** The smoothed rate at which a lane is consumed. */
export class DrainRate {
  /** Records per millisecond; undefined until a record was consumed, or none was for as long as the rate remembers. */
  #perMs: number | undefined;
  #at = 0;
  #gone = 0;
  #hadRecords = false;

  /**
   * Returns the rate in records per millisecond; undefined as long as none is known. `gone`: how many records have left
   * the lane so far; `depth`: how many are in it.
   */
  perMs(now: number, gone: number, depth: number): number | undefined {
    if (!this.#hadRecords) this.#begin(now, gone, depth);
    const ms = now - this.#at;
    const consumed = gone - this.#gone;
    // A burst that nothing is consumed of yet says little about the consumer, which may just have had no turn.
    if (ms >= (this.#perMs === undefined && consumed === 0 ? memoryMs : sampleMs)) {
      this.#sample(ms, consumed, depth > 0);
      this.#begin(now, gone, depth);
    }
    return this.#perMs;
  }

  #begin(now: number, gone: number, depth: number): void {
    this.#at = now;
    this.#gone = gone;
    this.#hadRecords = depth > 0;
  }

  /** `wasBusy`: the lane had records at the end, too. Otherwise its consumer could have done more in this time. */
  #sample(ms: number, consumed: number, wasBusy: boolean): void {
    const rate = consumed / ms;
    if (this.#perMs === undefined || (!wasBusy && rate > this.#perMs)) {
      this.#perMs = rate;
    } else if (wasBusy) {
      this.#perMs += (rate - this.#perMs) * (1 - Math.exp(-ms / memoryMs));
    }
  }
}
