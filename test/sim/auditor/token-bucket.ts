const second = 1_000_000_000n;
/**
 * Returns into how many parts a limiter divides a token: 2^28, or fewer, so that at most 2^33 parts come in a second.
 */
function partsOf(rate: number): bigint {
  return 1n << BigInt(Math.min(28, Math.floor(Math.log2(2 ** 33 / rate))));
}

/**
 * A token bucket. A whole number of tokens comes back in each second, up to the burst. A penalty may make the bucket
 * owe tokens.
 */
export class TokenBucketAuditor {
  #origin = 0; // time at which nothing had come back yet
  #spent = 0n; // parts of tokens taken, on the scale of what has come back
  #moved = 0n; // how far refunds and rewards may have moved slots down, in all

  get #parts(): bigint {
    return partsOf(this.rate);
  }

  constructor(
    public rate: number,
    public burst: number,
  ) {}

  /** Returns where the slot of the taken tokens ends, for `refund`. */
  take(cost: number, now: number): bigint | undefined {
    if (this.wait(cost, now) !== 0) return undefined;
    this.#spent = this.#used(now) + BigInt(cost) * this.#parts;
    return this.#spent + this.#moved;
  }
  giveBack(cost: number): void {
    this.#lower(BigInt(cost) * this.#parts);
  }
  reward(cost: number): void {
    this.#lower(BigInt(cost) * this.#parts);
    this.#moved += BigInt(cost) * this.#parts;
  }
  /**
   * Gives back the part of a slot that has not come back since. All refunds since then are assumed to be for slots
   * before this one.
   */
  refund(cost: number, slot: bigint, now: number): void {
    const end = slot - this.#moved;
    const left = end - this.#accrued(now);
    if (left <= 0n) return;
    const given = -larger(-left, -BigInt(cost) * this.#parts);
    const isLast = end === this.#spent;
    this.#lower(given);
    if (!isLast) this.#moved += given;
  }
  charge(cost: number, now: number): void {
    const used = this.#used(now);
    const debtMax = this.#accrued(now) + (1n << 33n) * this.#parts;
    const after = used + BigInt(cost) * this.#parts;
    this.#spent = larger(used, -larger(-after, -debtMax));
  }
  clear(): void {
    this.#spent = 0n;
  }
  /** Changes the rate. The bucket still owes the tokens that it owed. */
  changeRate(rate: number, now: number): void {
    const owed = this.#used(now) - this.#accrued(now);
    const before = this.#parts;
    this.#origin = now;
    this.rate = rate;
    this.#spent = (owed * this.#parts + before - 1n) / before;
  }

  isFull(now: number): boolean {
    return this.#spent <= this.#accrued(now);
  }
  remaining(now: number): number {
    const left = this.#accrued(now) + BigInt(this.burst) * this.#parts - this.#used(now);
    return left < 0n ? 0 : Number(left / this.#parts);
  }
  /** Returns the nanoseconds until `cost` is there. */
  wait(cost: number, now: number): number {
    if (cost > this.burst) return Number.POSITIVE_INFINITY;
    return this.waitForAll(cost, now);
  }
  /**
   * Returns the nanoseconds until tokens for `cost` have come, if each is taken as it comes. `cost` may exceed the
   * burst.
   */
  waitForAll(cost: number, now: number): number {
    const missing = this.#used(now) + BigInt(cost) * this.#parts - BigInt(this.burst) * this.#parts;
    if (missing <= 0n) return 0;
    // The first nanosecond at which so much has come back.
    const scale = BigInt(this.rate) * this.#parts;
    const due = this.#origin + Number((missing * second + scale - 1n) / scale);
    return Math.max(0, due - now);
  }

  #lower(units: bigint): void {
    this.#spent = larger(0n, this.#spent - units);
  }
  #accrued(now: number): bigint {
    return now <= this.#origin ? 0n : (BigInt(now - this.#origin) * BigInt(this.rate) * this.#parts) / second;
  }
  /**
   * Returns the parts that count as taken. Those that come back to a full bucket are lost: they count as taken, too.
   */
  #used(now: number): bigint {
    return larger(this.#spent, this.#accrued(now));
  }
}

function larger(a: bigint, b: bigint): bigint {
  if (a > b) return a;
  return b;
}
