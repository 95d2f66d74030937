import { optionError, quoted } from './errors.js';

/** As they were when sluice was loaded, whatever takes their places. */
export const isInteger: typeof Number.isInteger = Number.isInteger;
export const isSafeInteger: typeof Number.isSafeInteger = Number.isSafeInteger;

/** A copy of `given` without a prototype: what it does not have, Object.prototype does not add. */
export function bare<T extends object>(given: T): T {
  return { __proto__: null, ...given };
}

/**
 * The options given to `where`, checked one by one: a misspelled or unknown one is refused by name, never
 * ignored; so is a value of the wrong type or out of range. Own properties only, each read once: what an object
 * inherits is no option.
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
    this.restrict(known);
  }

  /** What was given, without a prototype. */
  get own(): Readonly<Record<string, unknown>> {
    return bare(this.#given);
  }

  /** Refuses all but `known`: for options that others exclude. */
  restrict(known: readonly string[]): void {
    for (const name of Object.keys(this.#given)) {
      if (known.includes(name)) continue;
      const names = known.length === 0 ? 'no options' : `one of ${known.join(', ')}`;
      throw optionError(`${this.#where}: unknown option ${quoted(name)}`, names, name, true);
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

  /** A number that may have a fraction. */
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

  /** A function, of what type the caller says; undefined if there is none. */
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

  /** The options nested under `name`, or undefined if there are none. */
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
    return false; // it has no more of a signal than the prototype
  }
}

/**
 * The elements that `list` has now, holes as undefined: whatever its getters do later, it stays as long as it was.
 * Undefined if it is no array of `min` to `max` elements.
 */
export function copiedList(list: unknown, min: number, max: number): unknown[] | undefined {
  if (!Array.isArray(list)) return undefined;
  const length: unknown = list.length; // of a proxy: anything
  if (typeof length !== 'number' || !(length >= min && length <= max)) return undefined;
  return Array.from({ length }, (_, i): unknown => list[i]);
}
