import { limiterLimits } from '../binding/index.js';
import { optionError } from '../input/index.js';

/**
 * A key that has a limit of its own: a string of at most 1,024 characters (UTF-16 code units), a number (not NaN) or a
 * bigint of at most 8,192 bits. `1`, `1n` and `'1'` are three keys. A limiter tells keys apart by 128-bit fingerprints
 * with a secret of its own (SipHash-1-3), and never stores the keys themselves.
 */
export type Key = string | number | bigint;

const { keyText: lengthMax, keyBits: bits } = limiterLimits;
/** The first bigint that is too large. Comparing a bigint with this one is fast, however many digits the bigint has. */
const bigintEnd = 2n ** BigInt(bits);
const bigintStart = -bigintEnd;

/** Whether a key is within the bounds; compares lengths, not characters. */
export function fitsKey(key: Key): boolean {
  if (typeof key === 'string') return key.length <= lengthMax;
  return typeof key !== 'bigint' || (key < bigintEnd && key > bigintStart);
}

/** Whether a call may have this key; `keyed`: whether its limiter has keys. Allocates nothing. */
export function takesKey(key: unknown, keyed: boolean): key is Key | undefined {
  return keyed ? isKey(key) && fitsKey(key) : key === undefined;
}

/** Makes the TypeError or RangeError for a key that `takesKey` refuses; `where` names the option. */
export function keyError(where: string, key: unknown, keyed: boolean, limiter: string): Error {
  if (!keyed) return optionError(where, `undefined (${limiter} has no keys)`, key, true);
  if (!isKey(key))
    return optionError(where, `a string, a number or a bigint (${limiter} has keys)`, key, true);
  // The message does not show the key: making a text of a long bigint takes long.
  return typeof key === 'string'
    ? optionError(`${where}: its length`, `at most ${lengthMax} characters`, key.length, false)
    : optionError(where, `a bigint of at most ${bits} bits`, 'a longer one', false);
}

function isKey(key: unknown): key is Key {
  const type = typeof key;
  return type === 'string' || type === 'bigint' || (type === 'number' && !Number.isNaN(key));
}
