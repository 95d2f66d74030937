/** A value where types allow none such: for tests of what a caller without types is told. */
export function mistyped(value: unknown): never {
  return value as never;
}
