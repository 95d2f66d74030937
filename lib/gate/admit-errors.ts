import { type NativeFields, outcomes, reserveResults } from '../binding/index.js';
import { adviceError, optionError } from '../input/index.js';
import { keyError } from '../limiter/index.js';
import type { RecordType } from '../record/index.js';
import { type Part, partError } from './parts.js';

/** By the native answer: the part of the request to the stock whose field has a value that the ledger does not take. */
const badParts: Readonly<Record<number, Part>> = {
  [outcomes['bad-quantity']]: 'quantity',
  [outcomes['bad-sku']]: 'sku',
  [outcomes['bad-user']]: 'user',
  [outcomes['bad-id']]: 'id',
};

/**
 * Makes the error for an order without an option that the gate needs, or with a bad key. `keyed`: whether the limiter
 * has keys; undefined without a limiter.
 */
export function missingOption(
  method: string,
  option: 'key' | 'lines',
  given: unknown,
  keyed: boolean | undefined,
): Error {
  const where = `${method}: ${option}`;
  if (option === 'key' && keyed !== undefined) return keyError(where, given, keyed, 'the limiter');
  const expected =
    option === 'lines'
      ? "a cart (the gate's fields have no sku and quantity)"
      : 'undefined (the gate has no limiter)';
  return optionError(where, expected, given, true);
}

/**
 * Makes the error for an order with a value that the ledger does not take, or without the user that an item needs.
 * `answer`: the native answer.
 */
export function badField<T>(answer: number, record: RecordType<T>, fields: NativeFields, order: T): Error {
  if (answer === reserveResults['needs-user']) {
    const why = 'because an item has a limit per user or is in a group';
    return adviceError('Gate.create: fields: user', 'the name of a field', why);
  }
  const part = badParts[answer] ?? 'quantity';
  const name = record.fieldAt(fields[part]?.offset) ?? part;
  const { [name]: value } = order as { readonly [name: string]: unknown };
  return partError(part, name, value);
}
