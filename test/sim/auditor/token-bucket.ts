const second = 1_000_000_000n;
/** The parts of a token in which a limiter of at most 8,192 tokens per second counts. */
const parts = 1n << 20n;

/** Tokens come back at a whole rate, up to the burst; a penalty may leave it owing. */
export class TokenBucketAuditor {
  #origin = 0; // time at which nothing had come back yet
  #spent = 0n; // parts of tokens taken, on the scale of what has come back

  constructor(
    public rate: number,
    public burst: number,
  ) {}

  take(cost: number, now: number): boolean {
    if (this.wait(cost, now) !== 0) return false;
    this.#spent = this.#used(now) + BigInt(cost) * parts;
    return true;
  }
  giveBack(cost: number): void {
    const left = this.#spent - BigInt(cost) * parts;
    this.#spent = left < 0n ? 0n : left;
  }
  charge(cost: number, now: number): void {
    const used = this.#used(now);
    const debtMax = this.#accrued(now) + (1n << 33n) * parts;
    const after = used + BigInt(cost) * parts;
    this.#spent = larger(used, -larger(-after, -debtMax));
  }
  clear(): void {
    this.#spent = 0n;
  }
  /** What it owes it still owes at the new rate. */
  changeRate(rate: number, now: number): void {
    this.#spent = this.#used(now) - this.#accrued(now);
    this.#origin = now;
    this.rate = rate;
  }

  isFull(now: number): boolean {
    return this.#spent <= this.#accrued(now);
  }
  remaining(now: number): number {
    const left = this.#accrued(now) + BigInt(this.burst) * parts - this.#used(now);
    return left < 0n ? 0 : Number(left / parts);
  }
  /** Nanoseconds until `cost` is there. */
  wait(cost: number, now: number): number {
    if (cost > this.burst) return Number.POSITIVE_INFINITY;
    return this.waitForAll(cost, now);
  }
  /** Nanoseconds until `cost`, taken bit by bit as it comes, has been there: may be more than the burst. */
  waitForAll(cost: number, now: number): number {
    const missing = this.#used(now) + BigInt(cost) * parts - BigInt(this.burst) * parts;
    if (missing <= 0n) return 0;
    // The first nanosecond at which so much has come back.
    const scale = BigInt(this.rate) * parts;
    const due = this.#origin + Number((missing * second + scale - 1n) / scale);
    return Math.max(0, due - now);
  }

  #accrued(now: number): bigint {
    return now <= this.#origin ? 0n : (BigInt(now - this.#origin) * BigInt(this.rate) * parts) / second;
  }
  /** While it is full nothing comes back. */
  #used(now: number): bigint {
    return larger(this.#spent, this.#accrued(now));
  }
}

function larger(a: bigint, b: bigint): bigint {
  if (a > b) return a;
  return b;
}
