import { fieldTypes, type NativeFields, stockLimits } from '../binding/index.js';
import { fieldError, optionError } from '../input/index.js';
import type { RecordType } from '../record/index.js';
import { textMax } from '../stock/index.js';

/** The parts of a request to a stock that a record has fields for. */
export const parts = ['sku', 'quantity', 'user', 'id'] as const;
export type Part = (typeof parts)[number];

/** The fields of a record whose values are numbers or bigints. partField() checks that a ledger can read them. */
type NumberFieldOf<T> = { [K in keyof T]: T[K] extends number | bigint ? K : never }[keyof T] & string;
/** The fields of a record whose values are numbers, bigints or texts. */
type KeyFieldOf<T> = { [K in keyof T]: T[K] extends number | bigint | string ? K : never }[keyof T] & string;

/** Which fields of a record are the parts of the request to the stock. */
export interface PartFields<T> {
  /** The item. */
  readonly sku?: KeyFieldOf<T> | undefined;
  /** How many units. */
  readonly quantity?: NumberFieldOf<T> | undefined;
  /** The user. */
  readonly user?: KeyFieldOf<T> | undefined;
  /** The client's id. */
  readonly id?: KeyFieldOf<T> | undefined;
}

/** `utf8` is separate, because the name of such a type contains its room: `utf8(32)`. */
const { utf8: textType, ...wholeTypes } = fieldTypes;
const numberTypes: Readonly<Record<string, number>> = wholeTypes;

/** Returns where in a record a part is. @throws TypeError (`ERR_SLUICE_OPTION`) for a name that is no such field. */
export function partField<T>(
  where: string,
  part: Part,
  record: RecordType<T>,
  name: unknown,
): NonNullable<NativeFields[Part]> {
  const field = typeof name === 'string' ? record.fields[name] : undefined;
  const textRoom = part === 'quantity' ? 0 : Number(/^utf8\((\d+)\)$/.exec(field?.type ?? '')?.[1] ?? 0);
  const type = textRoom > 0 ? textType : numberTypes[field?.type ?? ''];
  const offset = typeof name === 'string' ? record.offsetOf(name) : undefined;
  if (type !== undefined && offset !== undefined) return { type, offset, textRoom };
  const or = part === 'quantity' ? ' or u64' : ', u64 or utf8';
  const expected = `the name of a field of type u8, u16, u32, u53${or}`;
  throw optionError(`${where}: fields: ${part}`, expected, name, true);
}

/** Makes the error for a field with a value that a ledger does not take as this part. */
export function partError(part: Part, name: string, value: unknown): Error {
  const accepts =
    part === 'quantity'
      ? `a whole number from 1 to ${stockLimits.quantity}`
      : `a text of 1 to ${textMax[part]} bytes of UTF-8`;
  return fieldError(name, accepts, value, false);
}
