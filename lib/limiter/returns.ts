import { arrays, limiterStaging, type NativeKey, type NativeLimiter } from '../binding/index.js';
import type { Allowed } from './decision.js';

/**
 * How much of a charge `refund` gives back. If a program passes it anything else, such as an event, `refund` gives back
 * all.
 */
class Part {
  readonly units: number;
  constructor(units: number) {
    this.units = units;
  }
}

/**
 * Gives back `units` (a whole number, at least 0) of what a decision charged, as far as they are still in force. What
 * the depth tier holds stays held. All calls together give back no more than was charged.
 */
export function refundPart(decision: Allowed, units: number): void {
  (decision.refund as (part: Part) => void)(new Part(units));
}

/** The offsets of the receipt in the staging buffer, in words of 32 bits. */
const words = {
  slot: limiterStaging.slot / 4,
  serial: limiterStaging.serial / 4,
  charged: limiterStaging.charged / 4,
};

/**
 * Makes the functions that give back the charge of the decision that native code has just made. The receipt of that
 * decision is in the staging buffer. `charged` is false in a dry run that would have refused.
 */
export function returnsOf(
  native: NativeLimiter,
  staging: Int32Array,
  furtherWindows: number,
  cost: number,
  key: NativeKey | undefined,
  charged: boolean,
): { release: () => void; refund: (part?: unknown) => void } {
  // Keeps the receipt as separate numbers, so that no array is allocated for it.
  const a = staging[words.slot] as number;
  const b = staging[words.slot + 1] as number;
  const c = staging[words.serial] as number;
  const d = staging[words.serial + 1] as number;
  const e = staging[words.charged] as number;
  const f = staging[words.charged + 1] as number;
  const rest = words.charged + 2;
  const count = 2 * furtherWindows;
  const more = count === 0 ? undefined : new arrays.Int32Array(count);
  // Copies the elements one by one: a program can replace a method that copies all of them, and its method would get
  // the staging buffer.
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
      staging[words.serial + 1] = d;
      staging[words.charged] = e;
      staging[words.charged + 1] = f;
      if (more !== undefined) for (let i = 0; i < count; i++) staging[rest + i] = more[i] as number;
      native.refund(units, key);
    }
    owed -= units;
    if (!isPart) release();
  };
  return { release, refund };
}
