import { Buffer } from 'node:buffer';
import { arrays, stockStaging as at, Memory, Octets, stockLimits } from '../binding/index.js';
import { isInteger, isSafeInteger, optionError } from '../input/index.js';
import type { CartLine } from './cart.js';

/**
 * A whole number (0 to 2^53 - 1), a bigint (0n to 2^64 - 1) or a text. `1` and `1n` are the same key, `'1'` is another.
 */
export type LedgerKey = number | bigint | string;

/** The most bytes of UTF-8 that a text can have. */
export const textMax: Readonly<Record<'sku' | 'user' | 'id', number>> = {
  sku: stockLimits.skuText,
  user: stockLimits.userText,
  id: stockLimits.idText,
};

const skuMax = 0xffff_ffff;
const keyMax = 0xffff_ffff_ffff_ffffn;
/** Nanoseconds: more than any clock shows, and less than a word can hold. */
const sellUntilMax = 2 ** 62;
/** A decimal number with at most as many digits as 64 bits can have. */
const decimal = /^(0|[1-9][0-9]{0,19})$/;

/** The buffer in which a ledger's native functions find their arguments and leave their results. */
export class StockStaging {
  readonly buffer: ArrayBuffer = new Memory(at.bytes);
  readonly numbers: Float64Array = new arrays.Float64Array(this.buffer);
  /** The offset, in bytes, at which native calls write figures. */
  readonly figures: number = at.figures;
  readonly #words = new arrays.BigUint64Array(this.buffer);
  readonly #halves = new arrays.Uint32Array(this.buffer);
  readonly #octets = new Octets(this.buffer);
  #textAt = at.texts;

  /** Call this before the first key of each native call: texts are then written from the start of their area. */
  begin(): void {
    this.#textAt = at.texts;
  }

  /** Undefined means the ledger's `holdMs`. */
  hold(ms: number | undefined): void {
    this.#put(at.holdNs, ms === undefined ? 0 : Math.round(ms * 1e6));
  }
  quantity(quantity: number): void {
    this.#put(at.quantity, quantity);
  }
  perUser(perUser: number): void {
    this.#put(at.perUser, perUser);
  }
  shards(shards: number): void {
    this.#put(at.shards, shards);
  }
  backorder(backorder: number): void {
    this.#put(at.backorder, backorder);
  }
  /** How long an item is sold from now on, for `addItem` and `changeItem`. Undefined means without an end. */
  sellFor(ms: number | undefined): void {
    this.#put(at.sellNs, ms === undefined ? 0 : Math.round(ms * 1e6));
  }
  /**
   * The time of the ledger's boot clock until which an item is sold, for `sellUntil`. Infinity means without an end.
   * For a time before the clock's zero, and for NaN, the item is not sold.
   */
  sellUntil(ms: number): void {
    const ns = ms > 0 ? Math.min(Math.round(ms * 1e6), sellUntilMax) : 0;
    this.#put(at.sellNs, ms === Number.POSITIVE_INFINITY ? 0 : 1 + ns);
  }
  user(user: LedgerKey | undefined): void {
    this.#key(at.user, user);
  }
  /** The name of a group is staged in the place of the user. */
  group(name: string | undefined): void {
    this.#key(at.user, name);
  }
  id(id: LedgerKey | undefined): void {
    this.#key(at.id, id);
  }
  sku(sku: number | string | undefined): void {
    this.#key(at.lines, sku);
  }
  line(i: number, sku: number | string, quantity: number): void {
    const start = at.lines + i * at.lineBytes;
    this.#key(start, sku);
    this.#put(start + at.lineQuantity, quantity);
  }
  cart(lines: readonly CartLine[]): void {
    for (const [i, { sku, quantity }] of lines.entries()) this.line(i, sku, quantity);
  }

  set reservation(reservation: bigint) {
    this.#words[at.reservation / 8] = reservation;
  }
  get reservation(): bigint {
    return this.#words[at.reservation / 8] as bigint;
  }
  /** After a call that reserves: the length of the hold, in milliseconds; for a repetition, the time left of it. */
  get leftMs(): number {
    const low = this.#halves[at.holdNs / 4] as number;
    const high = this.#halves[at.holdNs / 4 + 1] as number;
    return (high * 2 ** 32 + low) / 1e6;
  }
  /** For a repetition: the number of the reservation's phase. */
  get phase(): number {
    return this.#halves[at.line / 4] as number;
  }
  /** The index of the line that a refusal is about. */
  get refusedLine(): number {
    return this.#halves[at.line / 4] as number;
  }

  /** Writes a whole number to a 64-bit word, without making a bigint from a number. */
  #put(where: number, value: number | bigint): void {
    if (typeof value === 'bigint') {
      this.#words[where / 8] = value;
    } else {
      this.#halves[where / 4] = value >>> 0;
      this.#halves[where / 4 + 1] = value / 2 ** 32;
    }
  }

  #key(where: number, key: LedgerKey | undefined): void {
    if (typeof key === 'string') {
      const length = this.#octets.utf8Write(key, this.#textAt, at.bytes - this.#textAt);
      this.#put(where, 1 + length);
      this.#put(where + 8, this.#textAt);
      this.#textAt += length;
    } else {
      this.#put(where, key === undefined ? 0 : 1);
      this.#put(where + 8, key ?? 0);
    }
  }
}

/** Whether a value can be a user or an id, whose text has at most `max` bytes. */
export function isLedgerKey(value: unknown, max: number): value is LedgerKey {
  if (typeof value === 'number') return isSafeInteger(value) && value >= 0;
  if (typeof value === 'bigint') return value >= 0n && value <= keyMax;
  return typeof value === 'string' && isText(value, max);
}

/** Checks a user or an id. @throws TypeError, RangeError naming `option`. */
export function checkedKey(option: string, value: unknown, max: number): LedgerKey {
  if (isLedgerKey(value, max)) return value;
  const expected = `a whole number from 0 to 2^53 - 1, a bigint from 0n to 2^64 - 1, or a text of 1 to ${max} bytes`;
  const wrongType = !['number', 'bigint', 'string'].includes(typeof value);
  throw optionError(option, expected, value, wrongType);
}

/** Checks a reservation: its bigint, or its decimal string. Returns the bigint. @throws TypeError naming `option`. */
export function checkedReservation(option: string, value: unknown): bigint {
  const given = typeof value === 'string' && decimal.test(value) ? BigInt(value) : value;
  if (typeof given === 'bigint' && given >= 0n && given <= keyMax) return given;
  throw optionError(option, 'the bigint of a reservation, or its decimal string', value, true);
}

/** @throws TypeError, RangeError naming `option`. */
export function checkedGroupName(option: string, value: unknown): string {
  if (typeof value === 'string' && isText(value, textMax.sku)) return value;
  throw optionError(option, `a text of 1 to ${textMax.sku} bytes`, value, typeof value !== 'string');
}

/** @throws TypeError, RangeError naming `option`. */
export function checkedSku(option: string, value: unknown): number | string {
  const expected = `a whole number from 0 to ${skuMax} or a text of 1 to ${textMax.sku} bytes`;
  if (typeof value === 'number' && isInteger(value) && value >= 0 && value <= skuMax) return value;
  if (typeof value === 'string' && isText(value, textMax.sku)) return value;
  throw optionError(option, expected, value, typeof value !== 'number' && typeof value !== 'string');
}

function isText(value: string, max: number): boolean {
  if (value.length === 0 || value.length > max) return false;
  // A UTF-16 unit is at most 3 bytes of UTF-8.
  return value.isWellFormed() && (value.length * 3 <= max || Buffer.byteLength(value, 'utf8') <= max);
}
