/** The cost admitted in one bucket. */
interface Entry {
  readonly bucket: number; // or the time itself, if the window is exact
  cost: number;
}

export interface SlidingWindow {
  readonly limit: number;
  readonly windowMs: number;
  readonly buckets?: number;
  readonly exact?: boolean;
}

const countMax = 2 ** 30 - 1;

export function windowNs(windowMs: number): number {
  return Math.round(windowMs * 1e6);
}

/**
 * A strict sliding window: each cost is remembered until the window has passed over the whole bucket in which the cost
 * came; or, if the window is exact, over the moment at which it came.
 */
export class WindowAuditor {
  #entries: Entry[] = []; // oldest first
  readonly #capacity: number;
  limit: number;
  windowNs: number;
  /** 0 if the window is exact. */
  readonly buckets: number;

  constructor({ limit, windowMs, buckets = 20, exact = false }: SlidingWindow) {
    this.limit = limit;
    this.windowNs = windowNs(windowMs);
    this.buckets = exact ? 0 : buckets;
    this.#capacity = limit;
  }

  /** Returns undefined if `cost` does not fit, otherwise where it was counted. */
  take(cost: number, now: number): number | undefined {
    if (this.wait(cost, now) !== 0) return undefined;
    this.#count(cost, now);
    return this.#bucketOf(now);
  }
  giveBack(bucket: number, cost: number, now: number): void {
    const entry = this.#entries.find((one) => one.bucket === bucket && this.#leaves(one) > now);
    if (entry !== undefined) entry.cost -= Math.min(cost, entry.cost);
  }
  charge(cost: number, now: number): void {
    const counted = this.#entries.find((one) => one.bucket === this.#bucketOf(now))?.cost ?? 0;
    this.#count(
      this.buckets === 0 ? Math.min(cost, this.#capacity) : Math.min(cost, countMax - counted),
      now,
    );
  }
  /** Forgets the newest admissions, up to a sum of `cost`. */
  forget(cost: number, now: number): void {
    if (this.buckets > 0) this.#prune(now);
    let left = cost;
    for (const entry of this.#entries.toReversed()) {
      const given = Math.min(left, entry.cost);
      entry.cost -= given;
      left -= given;
    }
    this.#entries = this.#entries.filter((entry) => entry.cost > 0);
  }
  clear(): void {
    this.#entries = [];
  }
  /** Whether the buckets of a window of `windowMs` would have another length. */
  isChangedBy(windowMs: number | undefined): boolean {
    if (windowMs === undefined) return false;
    const buckets = Math.max(1, this.buckets);
    return Math.ceil(Math.floor(windowMs * 1e6) / buckets) !== Math.ceil(this.windowNs / buckets);
  }
  /**
   * Changes the length. If that changes the length of the buckets, each request is counted again, as if it had come at
   * the end of its old bucket, or now if that is earlier.
   */
  changeLength(windowNs: number, now: number): void {
    if (this.buckets === 0) {
      this.windowNs = windowNs;
      return;
    }
    this.#prune(now);
    const old = this.#entries;
    const ends = old.map(({ bucket }) => Math.min(now, (bucket + 1) * this.#bucketNs - 1));
    const same = Math.ceil(windowNs / this.buckets) === this.#bucketNs;
    this.windowNs = windowNs;
    if (same) return;
    this.#entries = [];
    for (const [i, { cost }] of old.entries()) this.#count(cost, ends[i] as number);
    this.#prune(now);
  }

  isEmpty(now: number): boolean {
    return this.#sum(now) === 0;
  }
  remaining(now: number): number {
    return Math.max(0, this.limit - this.#sum(now));
  }
  /** Returns the nanoseconds until `cost` fits. */
  wait(cost: number, now: number): number {
    if (cost > this.limit) return Number.POSITIVE_INFINITY;
    let used = this.#sum(now);
    if (used + cost <= this.limit) return 0;
    for (const entry of this.#entries.filter((one) => this.#leaves(one) > now)) {
      used -= entry.cost;
      if (used + cost <= this.limit) return this.#leaves(entry) - now;
    }
    return 0;
  }
  leaveTimes(): number[] {
    return this.#entries.map((entry) => this.#leaves(entry));
  }
  /** The limits as `limits()` shows them: the length is that of all buckets. */
  get limits(): object {
    const ns = this.buckets === 0 ? this.windowNs : this.#bucketNs * this.buckets;
    return { limit: this.limit, windowMs: ns / 1e6 };
  }

  get #bucketNs(): number {
    return Math.ceil(this.windowNs / this.buckets);
  }
  #bucketOf(now: number): number {
    return this.buckets === 0 ? now : Math.floor(now / this.#bucketNs);
  }
  #leaves({ bucket }: Entry): number {
    return this.buckets === 0 ? bucket + this.windowNs : (bucket + this.buckets + 1) * this.#bucketNs;
  }
  #sum(now: number): number {
    return this.#entries.reduce((sum, entry) => (this.#leaves(entry) > now ? sum + entry.cost : sum), 0);
  }
  #count(cost: number, now: number): void {
    const bucket = this.#bucketOf(now);
    const entry = this.#entries.find((one) => one.bucket === bucket);
    if (entry !== undefined) entry.cost += cost;
    else this.#entries.push({ bucket, cost });
    if (this.buckets > 0) return;
    // An exact window remembers no more times than its first limit.
    let over = this.#entries.reduce((sum, one) => sum + one.cost, 0) - this.#capacity;
    for (const one of this.#entries) {
      const dropped = Math.min(one.cost, Math.max(0, over));
      one.cost -= dropped;
      over -= dropped;
    }
    this.#entries = this.#entries.filter((one) => one.cost > 0);
  }
  #prune(now: number): void {
    this.#entries = this.#entries.filter((entry) => this.#leaves(entry) > now);
  }
}
