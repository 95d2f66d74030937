import { type Part, type PartFields, partError, partField, parts } from '../../gate/index.js';
import { fieldError, isInteger, type Options, optionError, recordError } from '../../input/index.js';
import type { RecordType } from '../../record/index.js';
import { type CartLine, isLedgerKey, type LedgerKey, quantityMax, textMax } from '../../stock/index.js';

/** What an order asks of a stock. */
export interface Wanted {
  readonly lines: readonly CartLine[];
  readonly user: LedgerKey | undefined;
  readonly id: LedgerKey | undefined;
}

/** Reads from orders what they ask of a stock. */
export class OrderFields<T> {
  /** The fields of the item; undefined if each order has a cart. */
  readonly #item: { readonly sku: string; readonly quantity: string } | undefined;
  readonly #user: string | undefined;
  readonly #id: string | undefined;

  constructor({ sku, quantity, user, id }: PartFields<T>) {
    this.#item = sku === undefined || quantity === undefined ? undefined : { sku, quantity };
    this.#user = user;
    this.#id = id;
  }

  /** Whether each order needs a cart. */
  get needsLines(): boolean {
    return this.#item === undefined;
  }

  /** Returns what the order asks for; undefined if a value is none that a stock takes. Reads each field once. */
  wanted(order: unknown, cart: readonly CartLine[] | undefined): Wanted | undefined {
    if (typeof order !== 'object' || order === null) return undefined;
    const of = order as Readonly<Record<string, unknown>>;
    const user = this.#user === undefined ? undefined : of[this.#user];
    const id = this.#id === undefined ? undefined : of[this.#id];
    if (this.#user !== undefined && !isLedgerKey(user, textMax.user)) return undefined;
    if (this.#id !== undefined && !isLedgerKey(id, textMax.id)) return undefined;
    let lines = cart;
    if (lines === undefined && this.#item !== undefined) {
      const line = lineOf(of[this.#item.sku], of[this.#item.quantity]);
      if (line === undefined) return undefined;
      lines = [line];
    }
    return { lines: lines ?? [], user: user as LedgerKey | undefined, id: id as LedgerKey | undefined };
  }

  /** Makes the error for an order of which `wanted` returns undefined. */
  error(order: unknown, cart: readonly CartLine[] | undefined): Error {
    if (typeof order !== 'object' || order === null) return recordError(order);
    const of = order as Readonly<Record<string, unknown>>;
    const { sku, quantity } = cart === undefined && this.#item !== undefined ? this.#item : {};
    const names: Readonly<Record<Part, string | undefined>> = {
      sku,
      quantity,
      user: this.#user,
      id: this.#id,
    };
    for (const part of parts) {
      const name = names[part];
      if (name === undefined) continue;
      const value = of[name];
      const isGood = part === 'quantity' ? isQuantity(value) : isLedgerKey(value, textMax[part]);
      if (!isGood) return badValue(part, name, value);
    }
    return recordError(order); // a getter has returned something else before
  }
}

function lineOf(sku: unknown, quantity: unknown): CartLine | undefined {
  if (!isQuantity(quantity) || !isLedgerKey(sku, textMax.sku)) return undefined;
  // No item has a number above 2^32 - 1: what is rounded here is unknown before and after.
  return { sku: typeof sku === 'bigint' ? Number(sku) : sku, quantity: Number(quantity) };
}

function isQuantity(value: unknown): value is number | bigint {
  if (typeof value === 'number') return isInteger(value) && value >= 1 && value <= quantityMax;
  return typeof value === 'bigint' && value >= 1n && value <= BigInt(quantityMax);
}

function badValue(part: Part, name: string, value: unknown): Error {
  if (typeof value === 'string' || part === 'quantity') return partError(part, name, value);
  const accepts = `a whole number of at most 64 bits, or a text of 1 to ${textMax[part]} bytes of UTF-8`;
  return fieldError(name, accepts, value, typeof value !== 'number' && typeof value !== 'bigint');
}

/**
 * Checks the names of fields. `record`: the type of the orders, if there is a queue. `isLimited`: an item has a limit
 * per user. @throws TypeError (`ERR_SLUICE_OPTION`).
 */
export function checkedFields<T>(
  where: string,
  options: Options,
  record: RecordType<T> | undefined,
  isLimited: boolean,
): PartFields<T> {
  const fields = options.nested('fields', parts);
  const ofOneItem = fields?.has('sku') || fields?.has('quantity');
  const checked: { [name in Part]?: string } = {};
  for (const part of parts) {
    const name = fields?.get(part);
    const isOfItem = part === 'sku' || part === 'quantity';
    const isNeeded = (isOfItem && ofOneItem) || (part === 'user' && isLimited);
    if (name === undefined && !isNeeded) continue;
    if (record !== undefined) partField(where, part, record, name);
    else if (typeof name !== 'string' || name === '') {
      throw optionError(`${where}: fields: ${part}`, 'the name of a field', name, true);
    }
    checked[part] = name as string;
  }
  return checked as PartFields<T>;
}
