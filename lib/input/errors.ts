import { isNativeError, isUint8Array } from 'node:util/types';
import { similar } from './similar.js';

/** Every `code` of a sluice error. */
export type SluiceErrorCode =
  | 'ERR_SLUICE_OPTION'
  | 'ERR_SLUICE_FIELD'
  | 'ERR_SLUICE_SCHEMA'
  | 'ERR_SLUICE_LAYOUT'
  | 'ERR_SLUICE_CLOSED'
  | 'ERR_SLUICE_TIMEOUT'
  | 'ERR_SLUICE_WAITERS'
  | 'ERR_SLUICE_PERMIT'
  | 'ERR_SLUICE_DISPOSED'
  | 'ERR_SLUICE_CONSUMER'
  | 'ERR_SLUICE_REENTRANT'
  | 'ERR_SLUICE_HANDLE'
  | 'ERR_SLUICE_GATED'
  | 'ERR_SLUICE_THREADS'
  | 'ERR_SLUICE_MEMORY'
  | 'ERR_SLUICE_RELEASE'
  | 'ERR_SLUICE_AUDIT'
  | 'ERR_SLUICE_SNAPSHOT'
  | 'ERR_SLUICE_WORKER'
  | 'ERR_SLUICE_STORE_LOCKED'
  | 'ERR_SLUICE_STORE_DAMAGED'
  | 'ERR_SLUICE_STORE_FAILED'
  | 'ERR_SLUICE_FULL'
  | 'ERR_SLUICE_ID'
  | 'ERR_SLUICE_REDIS'
  | 'ERR_SLUICE_LOAD';

/**
 * Every error that sluice throws has a stable `code` that begins with `ERR_SLUICE_`.
 *
 * Misuse throws a `TypeError` or `RangeError` with such a code. `error instanceof SluiceError` checks the code, so it
 * is true for these too, and for errors of another copy of the package.
 */
export class SluiceError extends Error {
  /** What went wrong: stable over releases, unlike the message. */
  readonly code: SluiceErrorCode;

  constructor(code: SluiceErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }

  /** Always 'SluiceError'. */
  override get name(): string {
    return 'SluiceError';
  }

  /** True for every error, of any realm, whose `code` begins with `ERR_SLUICE_`. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    if (!isNativeError(value) || !('code' in value)) return false; // of any realm
    return typeof value.code === 'string' && value.code.startsWith('ERR_SLUICE_');
  }
}

class SluiceTypeError extends TypeError {
  readonly code: SluiceErrorCode;
  constructor(code: SluiceErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

class SluiceRangeError extends RangeError {
  readonly code: SluiceErrorCode;
  constructor(code: SluiceErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

const shownEnd = 2n ** 128n;
const shownMax = 40;

/** Shortens a text for a message: a client may have sent it. */
function cut(text: string): string {
  return text.length > shownMax ? `${text.slice(0, shownMax)}...` : text;
}

/** Returns the shortened text in quotes and on one line, whatever characters it has. */
export function quoted(text: string): string {
  return JSON.stringify(cut(text));
}

/** Describes a received value, short enough for a message. */
function shown(value: unknown): string {
  if (typeof value === 'string') return quoted(value);
  if (typeof value === 'bigint') {
    // Formatting a long bigint takes long.
    return value < shownEnd && value > -shownEnd ? `${value}n` : 'a bigint of more than 128 bits';
  }
  if (typeof value === 'function') return 'a function';
  return typeof value === 'object' && value !== null ? shownObject(value) : cut(String(value));
}

/** Returns what a program threw, as a text. */
export function errorText(error: unknown): string {
  try {
    return String(error);
  } catch {
    return 'an error that cannot be shown';
  }
}

/** The public classes of this copy of the package, by name. */
const ours = new Map<string, unknown>();
export function isOurs(type: { readonly name: string }): void {
  ours.set(type.name, type);
}

function shownObject(value: object): string {
  try {
    if (Array.isArray(value)) return `an array of ${value.length}`;
    if (isUint8Array(value)) return `a Uint8Array of ${value.byteLength} bytes`;
    const type: unknown = value.constructor;
    const name: unknown = value.constructor?.name ?? 'Object';
    if (typeof name !== 'string') return 'an object';
    if (ours.has(name) && ours.get(name) !== type) return `a ${name} of another copy of sluice`;
    return `an instance of ${cut(name)}`;
  } catch {
    return 'an object that cannot be looked at'; // a revoked proxy, a getter that throws
  }
}

/** Makes the error for an option or argument of the wrong type (`TypeError`) or outside its range (`RangeError`). */
export function optionError(option: string, expected: string, received: unknown, wrongType: boolean): Error {
  const message = `${option}: expected ${expected}, got ${shown(received)}`;
  const error = wrongType
    ? new SluiceTypeError('ERR_SLUICE_OPTION', message)
    : new SluiceRangeError('ERR_SLUICE_OPTION', message);
  return Object.assign(error, { option });
}

/** Makes the error for an option with a name that `where` does not know. */
export function unknownOptionError(where: string, name: string, known: readonly string[]): Error {
  const option = `${where}: unknown option ${quoted(name)}`;
  const meant = similar(name, known);
  const hint = meant === undefined ? '' : `: did you mean ${meant}?`;
  const names = known.length === 0 ? 'there are no options' : `options: ${known.join(', ')}`;
  const error = new SluiceTypeError('ERR_SLUICE_OPTION', `${option}${hint} (${names})`);
  return Object.assign(error, { option });
}

/** Makes the error for an argument whose kind is wrong, with advice for the caller in place of the value. */
export function adviceError(option: string, expected: string, advice: string): Error {
  const error = new SluiceTypeError('ERR_SLUICE_OPTION', `${option}: expected ${expected}, ${advice}`);
  return Object.assign(error, { option });
}

/** Makes the error for a constructor that a program called; it should call `instead`. */
export function constructorError(name: string, instead: string): Error {
  return new SluiceTypeError('ERR_SLUICE_OPTION', `new ${name}(): use ${instead}`);
}

/** Makes the error for a value that a field of a record cannot hold. `error.field` is the field's name. */
export function fieldError(field: string, expected: string, received: unknown, wrongType: boolean): Error {
  const message = `field ${quoted(field)}: expected ${expected}, got ${shown(received)}`;
  const error = wrongType
    ? new SluiceTypeError('ERR_SLUICE_FIELD', message)
    : new SluiceRangeError('ERR_SLUICE_FIELD', message);
  return Object.assign(error, { field });
}

/** Makes the error for a record that is not an object. */
export function recordError(received: unknown): Error {
  return optionError(noRecord, 'an object with its fields', received, true);
}

const noRecord = 'record';
type RecordError = (SluiceTypeError | SluiceRangeError) & {
  readonly option?: string;
  readonly field?: string;
};

/** Whether the error is about a bad record: a field with a bad value, or a record that is no object. */
export function isRecordError(error: unknown): error is RecordError {
  if (!(error instanceof SluiceTypeError || error instanceof SluiceRangeError)) return false;
  return 'field' in error || ('option' in error && error.option === noRecord);
}

/** Makes the error for the record at `index` of a list. The message and `error.index` contain the index. */
export function listedError(error: RecordError, index: number): Error {
  const message = `list[${index}]: ${error.message}`;
  const listed =
    error instanceof SluiceTypeError
      ? new SluiceTypeError(error.code, message)
      : new SluiceRangeError(error.code, message);
  return Object.assign(listed, error, { index });
}
