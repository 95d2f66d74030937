import { Options, optionError } from '../input/index.js';
import { type Field, f64, RecordType, record, u32, utf8 } from '../record/index.js';
import { cut } from './envelope.js';

/** An order that is not handed out any more, because it failed too often. */
export interface DeadLetter<T> {
  /** The order, as the source had it. */
  readonly order: T;
  /** What its last handler threw, or why its last worker ended. */
  readonly error: Error;
  /** How often a handler was given the order. */
  readonly deliveries: number;
  /** When the crew took the order: milliseconds since the Unix epoch. */
  readonly firstAt: number;
  /** Its reservation, which is cancelled once the dead letter is taken; undefined without a stock. */
  readonly reservation: bigint | undefined;
}

/** What a record of dead letters has besides the fields of the order. */
export interface DeadFields {
  /** Name and message of the error, cut off where the field ends. */
  readonly error: string;
  /** As in `DeadLetter`. */
  readonly deliveries: number;
  /** As in `DeadLetter`. */
  readonly firstAt: number;
}

/**
 * Takes dead letters: a function, or an object with a method `push`, such as a `Queue` or a `RedisQueue` of
 * `deadLetterRecord(Order)`. If it throws, or its promise rejects, the dead letter is offered again later.
 */
export type DeadLetters<T> =
  | ((letter: DeadLetter<T>) => unknown)
  | {
      /** Takes a dead letter as a record. */
      push(record: T & DeadFields): unknown;
    };

const added: Readonly<Record<keyof DeadFields, string>> = {
  error: 'utf8',
  deliveries: 'u32',
  firstAt: 'f64',
};
const errorBytesDefault = 256;

/**
 * Declares the record of a queue of dead letters: the fields of the order, and `error`, `deliveries` and `firstAt`.
 *
 * @param order The record of the orders.
 * @param options `errorBytes`: the room for the error's name and message, 1 to 65,535 bytes of UTF-8. Default: 256.
 * @returns The record.
 * @throws TypeError, RangeError (`ERR_SLUICE_OPTION`), also if the order has a field of one of these names.
 * @example
 * const dead = Queue.create(deadLetterRecord(Order), { capacity: 10_000 });
 */
export function deadLetterRecord<T>(
  order: RecordType<T>,
  options?: { readonly errorBytes?: number | undefined },
): RecordType<T & DeadFields> {
  const where = 'deadLetterRecord';
  if (!(order instanceof RecordType))
    throw optionError(`${where}: order`, 'what record() returns', order, true);
  const given = new Options(where, options, ['errorBytes']);
  for (const name of Object.keys(added)) {
    if (Object.hasOwn(order.fields, name)) {
      throw optionError(`${where}: order`, `a record without a field "${name}"`, name, true);
    }
  }
  const error = utf8(given.integer('errorBytes', 1, 65_535, errorBytesDefault));
  const fields: Record<string, Field<unknown>> = { ...order.fields, error, deliveries: u32, firstAt: f64 };
  return record(fields) as unknown as RecordType<T & DeadFields>;
}

/** Returns a function that offers a dead letter: its promise is resolved when the letter is taken. */
export function burier<T>(where: string, target: unknown): (letter: DeadLetter<T>) => Promise<void> {
  if (typeof target === 'function') {
    return async (letter) => {
      await target(letter);
    };
  }
  const { push, record: type } = (target ?? {}) as { readonly push?: unknown; readonly record?: unknown };
  if (typeof push !== 'function') {
    throw optionError(where, 'a function, or an object with a method push', target, true);
  }
  if (type instanceof RecordType) checkRecord(where, type);
  const errorBytes = errorRoom(type) ?? errorBytesDefault;
  return async ({ order, error, deliveries, firstAt }) => {
    const text = cut(`${error.name}: ${error.message}`, errorBytes);
    await push.call(target, { ...order, error: text, deliveries, firstAt });
  };
}

/** Checks the record of a queue or of a stream: a dead letter that it refused would be offered again for ever. */
function checkRecord(where: string, { fields }: RecordType<unknown>): void {
  for (const [name, type] of Object.entries(added)) {
    if (!fields[name]?.type.startsWith(type)) {
      throw optionError(where, 'a queue of deadLetterRecord(Order)', `one without the field ${name}`, true);
    }
  }
}

/** Returns the room of the field `error`, in bytes; undefined if `type` is not known, or has no such field. */
function errorRoom(type: unknown): number | undefined {
  if (!(type instanceof RecordType)) return undefined;
  const room = /^utf8\((\d+)\)$/.exec(type.fields['error']?.type ?? '')?.[1];
  return room === undefined ? undefined : Number(room);
}
