import type { WindowAuditor } from './window.js';

/** The cost that one step admitted. */
export interface Admitted {
  readonly at: number;
  cost: number;
}

/**
 * The admissions within the length of a window until now. Such a time span is called a true window here: no more than
 * the window's limit may be admitted in it.
 */
export class TrueWindow {
  #admitted: Admitted[] = []; // oldest first

  constructor(readonly window: WindowAuditor) {}

  admit(cost: number, now: number): Admitted {
    const admitted = { at: now, cost };
    this.#admitted.push(admitted);
    return admitted;
  }
  /** Gives back `cost` of one admission. If less of it is left, the newest admissions are reduced by the rest. */
  giveBack(admitted: Admitted, cost: number): void {
    const own = Math.min(cost, admitted.cost);
    admitted.cost -= own;
    this.forget(cost - own);
  }
  /** Forgets the newest admissions, up to a sum of `cost`. */
  forget(cost: number): void {
    let left = cost;
    for (const one of this.#admitted.toReversed()) {
      const given = Math.min(left, one.cost);
      one.cost -= given;
      left -= given;
    }
  }
  clear(): void {
    this.#admitted = [];
  }
  /** Forgets what the window has forgotten: a longer window cannot remember it. */
  forgetBefore(now: number): void {
    this.#admitted = this.#admitted.filter(({ at }) => at + this.window.windowNs > now);
  }
  sum(now: number): number {
    this.forgetBefore(now);
    return this.#admitted.reduce((sum, { cost }) => sum + cost, 0);
  }
}
