import type { NativeKey, NativeLimiter } from '../native/index.js';

/** Of the staging buffer in words of 32 bits: the receipt, five of them. See native/addon/limiter.h. */
const receiptWord = 26;

/**
 * What gives back the decision that native code has just made, whose receipt is in the staging buffer. `charged`: not in
 * a dry run that would have refused.
 */
export function returnsOf(
  native: NativeLimiter,
  staging: Int32Array,
  cost: number,
  key: NativeKey | undefined,
  charged: boolean,
): { release: () => void; refund: () => void } {
  // Numbers that are kept by value: nothing is allocated for them.
  const a = staging[receiptWord] as number;
  const b = staging[receiptWord + 1] as number;
  const c = staging[receiptWord + 2] as number;
  const d = staging[receiptWord + 3] as number;
  const e = staging[receiptWord + 4] as number;
  let held = true;
  let owed = charged;
  const release = (): void => {
    if (held) native.release(cost, key);
    held = false;
  };
  const refund = (): void => {
    if (owed) {
      staging[receiptWord] = a;
      staging[receiptWord + 1] = b;
      staging[receiptWord + 2] = c;
      staging[receiptWord + 3] = d;
      staging[receiptWord + 4] = e;
      native.refund(cost, key);
    }
    owed = false;
    release();
  };
  return { release, refund };
}
