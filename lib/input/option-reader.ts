import { optionError, unknownOptionError } from './errors.js';

/** These functions as they were when sluice was loaded: a program may replace them later. */
export const isInteger: typeof Number.isInteger = Number.isInteger;
export const isSafeInteger: typeof Number.isSafeInteger = Number.isSafeInteger;

/** Returns a copy of `given` without a prototype, so that Object.prototype adds nothing to it. */
export function bare<T extends object>(given: T): T {
  return { __proto__: null, ...given };
}

/** Options of which each is given, or has its default. */
export type Complete<T> = { [Name in keyof T]-?: Exclude<T[Name], undefined> };

/**
 * The options given to `where`, checked one by one. An unknown or misspelled option throws an error with its name; so
 * does a value of the wrong type or out of range. Only own properties are options, and each is read once.
 */
export class Options {
  readonly #where: string;
  readonly #given: Readonly<Record<string, unknown>>;

  constructor(where: string, given: unknown, known: readonly string[]) {
    if (given !== undefined && (typeof given !== 'object' || given === null || Array.isArray(given))) {
      throw optionError(where, 'an object of options', given, true);
    }
    this.#where = where;
    this.#given = { ...(given ?? {}) };
    for (const name of Object.keys(this.#given)) {
      if (!known.includes(name)) throw unknownOptionError(where, name, known);
    }
  }

  /** The given options, without a prototype. */
  get own(): Readonly<Record<string, unknown>> {
    return bare(this.#given);
  }

  /** Throws if an option other than those in `known` was given. For options that exclude others. */
  restrict(known: readonly string[]): void {
    for (const name of Object.keys(this.#given)) {
      if (!known.includes(name) && this.has(name)) throw unknownOptionError(this.#where, name, known);
    }
  }

  has(name: string): boolean {
    return this.get(name) !== undefined;
  }

  get(name: string): unknown {
    return Object.hasOwn(this.#given, name) ? this.#given[name] : undefined;
  }

  integer(name: string, min: number, max: number, fallback?: number): number {
    const value = this.#required(name, fallback);
    const expected = `a whole number from ${min} to ${max}`;
    if (typeof value !== 'number') throw optionError(this.#name(name), expected, value, true);
    if (!(isInteger(value) && value >= min && value <= max)) {
      throw optionError(this.#name(name), expected, value, false);
    }
    return value;
  }

  /** Returns the option as a number, which may have a fraction. */
  number(name: string, min: number, max: number, fallback?: number): number {
    const value = this.#required(name, fallback);
    const expected = `a number from ${min} to ${max}`;
    if (typeof value !== 'number') throw optionError(this.#name(name), expected, value, true);
    if (!(value >= min && value <= max)) throw optionError(this.#name(name), expected, value, false);
    return value;
  }

  boolean(name: string, fallback: boolean): boolean {
    const value = this.#required(name, fallback);
    if (typeof value !== 'boolean') throw optionError(this.#name(name), 'true or false', value, true);
    return value;
  }

  /** Returns the option as a function of type `F`, which is not checked; undefined if the option is not given. */
  callback<F>(name: string): F | undefined {
    const value = this.get(name);
    if (value !== undefined && typeof value !== 'function') {
      throw optionError(this.#name(name), 'a function', value, true);
    }
    return value as F | undefined;
  }

  signal(): AbortSignal | undefined {
    const value = this.get('signal');
    if (value !== undefined && !isSignal(value)) {
      throw optionError(this.#name('signal'), 'an AbortSignal', value, true);
    }
    return value;
  }

  /** Returns the options nested under `name`, or undefined if there are none. */
  nested(name: string, known: readonly string[]): Options | undefined {
    return this.has(name) ? new Options(this.#name(name), this.get(name), known) : undefined;
  }

  #name(name: string): string {
    return `${this.#where}: ${name}`;
  }

  #required(name: string, fallback: unknown): unknown {
    const value = this.get(name);
    return value === undefined ? fallback : value;
  }
}

function isSignal(value: unknown): value is AbortSignal {
  try {
    return value instanceof AbortSignal && typeof value.aborted === 'boolean';
  } catch {
    return false; // it has only the prototype of a signal
  }
}

/**
 * Returns a copy of the current elements of `list`, holes as undefined. The length of the copy is the list's at the
 * call, whatever the list's getters do. Returns undefined if `list` is not an array of `min` to `max` elements.
 */
export function copiedList(list: unknown, min: number, max: number): unknown[] | undefined {
  if (!Array.isArray(list)) return undefined;
  const length: unknown = list.length; // a proxy may return anything
  if (typeof length !== 'number' || !(length >= min && length <= max)) return undefined;
  return Array.from({ length }, (_, i): unknown => list[i]);
}
