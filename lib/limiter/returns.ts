import { arrays, limiterStaging, type NativeKey, type NativeLimiter } from '../binding/index.js';
import type { Allowed } from './decision.js';

/** A part of a charge: what else a program may hand to `refund` (of an event, say) is none. */
class Part {
  readonly units: number;
  constructor(units: number) {
    this.units = units;
  }
}

/**
 * Gives back `units` (a whole number, at least 0) of what a decision charged, as far as they are still in force, and
 * keeps what the depth tier holds; no more than was charged, however often.
 */
export function refundPart(decision: Allowed, units: number): void {
  (decision.refund as (part: Part) => void)(new Part(units));
}

/** Of the staging buffer in words of 32 bits: the receipt. */
const words = {
  slot: limiterStaging.slot / 4,
  serial: limiterStaging.serial / 4,
  charged: limiterStaging.charged / 4,
};

/**
 * What gives back the decision that native code has just made, whose receipt is in the staging buffer. `charged`: not
 * in a dry run that would have refused.
 */
export function returnsOf(
  native: NativeLimiter,
  staging: Int32Array,
  furtherWindows: number,
  cost: number,
  key: NativeKey | undefined,
  charged: boolean,
): { release: () => void; refund: (part?: unknown) => void } {
  // Numbers that are kept by value: nothing is allocated for them.
  const a = staging[words.slot] as number;
  const b = staging[words.slot + 1] as number;
  const c = staging[words.serial] as number;
  const d = staging[words.charged] as number;
  const e = staging[words.charged + 1] as number;
  const rest = words.charged + 2;
  const count = 2 * furtherWindows;
  const more = count === 0 ? undefined : new arrays.Int32Array(count);
  // One by one: a method would be handed the staging buffer, and can be replaced.
  if (more !== undefined) for (let i = 0; i < count; i++) more[i] = staging[rest + i] as number;
  let held = true;
  let owed = charged ? cost : 0;
  const release = (): void => {
    if (held) native.release(cost, key);
    held = false;
  };
  const refund = (part?: unknown): void => {
    const isPart = part instanceof Part;
    const units = isPart ? Math.min(part.units, owed) : owed;
    if (units > 0) {
      staging[words.slot] = a;
      staging[words.slot + 1] = b;
      staging[words.serial] = c;
      staging[words.charged] = d;
      staging[words.charged + 1] = e;
      if (more !== undefined) for (let i = 0; i < count; i++) staging[rest + i] = more[i] as number;
      native.refund(units, key);
    }
    owed -= units;
    if (!isPart) release();
  };
  return { release, refund };
}
