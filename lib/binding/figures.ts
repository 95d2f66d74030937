/**
 * `Object.fromEntries` as it was when sluice was loaded. It defines properties, and so calls no setter of
 * Object.prototype.
 */
const { fromEntries } = Object;

/** Returns the figures that a native call has written to the staging buffer, from byte `at` on, by their names. */
export function figuresOf<Name extends string>(
  names: readonly Name[],
  staging: Float64Array,
  at: number,
): Record<Name, number> {
  const entries = names.map((name, i) => [name, staging[at / 8 + i]]);
  return fromEntries(entries) as Record<Name, number>;
}

/** Returns how many bytes the figures of these names take. */
export function bytesOf(names: readonly string[]): number {
  return names.length * 8;
}
