/** What a function among the options may return: at once, or when something else has answered. */
export type MaybePromise<T> = T | PromiseLike<T>;

/** By what promises have, of whatever realm or library. */
export function isPromise<T>(value: T | PromiseLike<T>): value is PromiseLike<T> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}
