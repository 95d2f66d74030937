/** Passes a value where its type is not allowed: for tests of the errors that a caller without types gets. */
export function mistyped(value: unknown): never {
  return value as never;
}
