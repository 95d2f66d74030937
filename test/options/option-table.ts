/** Values of an option, by what the function must do with them. */
export interface OptionRules {
  /** Values that the function must accept. */
  readonly good: readonly unknown[];
  /** Values that the function must refuse with a TypeError that names the option. */
  readonly wrong: readonly unknown[];
  /** Values that the function must refuse with a RangeError that names the option. */
  readonly outside: readonly unknown[];
}

/** A function that takes options, the options that it knows, and some that it must refuse as unknown. */
export interface OptionTable {
  /** The function's name in error messages. */
  readonly where: string;
  /** Calls the function. May return a promise. */
  readonly call: (options: unknown) => unknown;
  /** Options with which the call succeeds. */
  readonly base: Readonly<Record<string, unknown>>;
  readonly options: Readonly<Record<string, OptionRules>>;
  /** Options that cannot be left out. */
  readonly required?: readonly string[];
  /** Names that the function must refuse, such as misspelled options and options of other functions. */
  readonly unknown: readonly string[];
}

const notNumbers = ['1', '', null, true, 1n, [], [1], {}, Symbol('1')];

/** The rules for a whole number from `min` to `max`. The test tries the values `taken`. */
export function whole(min: number, max: number, taken: readonly number[] = [min]): OptionRules {
  return {
    good: taken,
    wrong: notNumbers,
    outside: [min - 1, max + 1, min + 0.5, Number.NaN, Infinity, -Infinity],
  };
}

/** The rules for a number from `min` to `max`, which may have a fraction. */
export function real(min: number, max: number, taken: readonly number[] = [min, max]): OptionRules {
  return {
    good: taken,
    wrong: notNumbers,
    outside: [min / 2, -1, max * 1.001, Number.NaN, Infinity, -Infinity],
  };
}

/** The rules for an option that accepts only the `good` values. All others have the wrong type. */
export function only(...good: readonly unknown[]): OptionRules {
  return { good, wrong: [null, 0, 1, 'true', '', {}, [], () => true], outside: [] };
}

/** The rules for a user or an id: a whole number, a bigint, or a text of at most `textMax` bytes. */
export function key(textMax: number): OptionRules {
  return {
    good: [0, 1, 2 ** 53 - 1, 0n, 2n ** 64n - 1n, '1', ' ', 'ü'.repeat(textMax / 2), 'x'.repeat(textMax)],
    wrong: [null, true, [], {}, Symbol('1'), () => 1],
    outside: [-1, 0.5, 2 ** 53, Number.NaN, Infinity, -1n, 2n ** 64n, '', '\ud800', ...tooLong(textMax)],
  };
}

/** The rules for a sku. */
export function sku(): OptionRules {
  return {
    good: [0, 2 ** 32 - 1, 'A-1', '1', 'ü'.repeat(16)],
    wrong: [null, true, 1n, [], {}, Symbol('1'), () => 1],
    outside: [-1, 0.5, 2 ** 32, Number.NaN, Infinity, '', '\udc00', ...tooLong(32)],
  };
}

function tooLong(bytes: number): string[] {
  return ['x'.repeat(bytes + 1), `${'ü'.repeat(bytes / 2)}x`];
}
