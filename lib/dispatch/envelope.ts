/** The records in the queues between a crew and its workers. */
import { TextEncoder } from 'node:util';
import { bool, oneOf, type RecordType, record, u32, u53, u64, utf8 } from '../record/index.js';

/** The names of the fields that an order has besides its own on its way to a worker. */
export interface EnvelopeNames {
  readonly ticket: string;
  readonly deliveries: string;
  readonly reservation: string;
}

/** An order on its way to a worker: its fields and those that `EnvelopeNames` names. */
export type Envelope = Record<string, unknown>;

/** Returns names that the record has no fields of. */
export function envelopeNames(type: RecordType<unknown>): EnvelopeNames {
  let prefix = '$';
  while (Object.keys(type.fields).some((name) => name.startsWith(prefix))) prefix += '$';
  return {
    ticket: `${prefix}ticket`,
    deliveries: `${prefix}deliveries`,
    reservation: `${prefix}reservation`,
  };
}

export function envelopeRecord(type: RecordType<unknown>, names: EnvelopeNames): RecordType<Envelope> {
  const added = { [names.ticket]: u53, [names.deliveries]: u32, [names.reservation]: u64 };
  return record({ ...type.fields, ...added });
}

/** The room for the texts of an error, in bytes of UTF-8. */
const room = { name: 64, code: 64, message: 512, stack: 2_048 };

/** What a worker reports of an order. All workers of a crew report to one queue. */
export interface Report {
  readonly seat: number;
  readonly ticket: number;
  /** 'decided': by the handler, which still runs. 'returned' and 'failed': the handler has ended. */
  readonly event: 'decided' | 'returned' | 'failed';
  /** Whether the order was confirmed, if `event` is 'decided'. */
  readonly confirmed: boolean;
  /** The ledger's answer when the order was confirmed because its handler returned; '' otherwise. */
  readonly resolution: string;
  /** The texts of the error, if `event` is 'failed'. */
  readonly name: string;
  readonly code: string;
  readonly message: string;
  readonly stack: string;
}

export const reportRecord: RecordType<Report> = record({
  seat: u32,
  ticket: u53,
  event: oneOf('decided', 'returned', 'failed'),
  confirmed: bool,
  resolution: utf8(32),
  name: utf8(room.name),
  code: utf8(room.code),
  message: utf8(room.message),
  stack: utf8(room.stack),
});

type ErrorTexts = Pick<Report, 'name' | 'code' | 'message' | 'stack'>;

export const noError: ErrorTexts = { name: '', code: '', message: '', stack: '' };

/** Describes what a handler threw, whatever that is. */
export function errorTexts(thrown: unknown): ErrorTexts {
  if (typeof thrown !== 'object' || thrown === null)
    return { ...noError, name: 'Error', message: cut(describe(thrown), room.message) };
  const text = (property: keyof ErrorTexts): string => {
    try {
      const { [property]: value } = thrown as ErrorTexts;
      return typeof value === 'string' ? cut(value, room[property]) : '';
    } catch {
      return ''; // a getter that throws
    }
  };
  return {
    name: text('name') || 'Error',
    code: text('code'),
    message: text('message'),
    stack: text('stack'),
  };
}

function describe(thrown: unknown): string {
  try {
    return typeof thrown === 'string' ? thrown : String(thrown);
  } catch {
    return ''; // it has no text, or throws when it is asked for one
  }
}

/** An error that a handler threw in a worker: its name, message, code and stack are those of the original. */
export function reportedError({ name, code, message, stack }: ErrorTexts): Error {
  const error = new Error(message);
  Object.defineProperty(error, 'name', { value: name, configurable: true, writable: true });
  if (stack !== '') error.stack = stack;
  return code === '' ? error : Object.assign(error, { code });
}

/** Returns what was thrown as an error, whatever that is. */
export function asError(thrown: unknown): Error {
  try {
    if (thrown instanceof Error) return thrown;
  } catch {
    // a proxy that throws
  }
  return new Error(describe(thrown));
}

const encoder = new TextEncoder();

/** Cuts a text off so that it is well-formed and has at most `bytes` bytes of UTF-8. */
export function cut(text: string, bytes: number): string {
  const start = text.slice(0, bytes).toWellFormed(); // no character has less than a byte
  return start.slice(0, encoder.encodeInto(start, new Uint8Array(bytes)).read);
}
