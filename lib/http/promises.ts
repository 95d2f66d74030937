/** The result of a function among the options: a value, or a promise of one. */
export type MaybePromise<T> = T | PromiseLike<T>;

/** Checks for a `then` method, so that promises of any realm and library count. */
export function isPromise<T>(value: T | PromiseLike<T>): value is PromiseLike<T> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}
