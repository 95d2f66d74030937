import type { Key, Limiter } from '../limiter/index.js';

interface Passage {
  readonly limiter: Limiter;
  readonly key: Key | undefined;
}

/** By an object that identifies a request: the limiters that have let the request through, each with the key. */
const passages = new WeakMap<object, Passage[]>();

/**
 * Whether `limiter` has already let a request through for `key`. A limiter decides once about a request and key,
 * however many middlewares ask. `identities` are the objects that identify the request while it is handled.
 */
export function hasPassed(identities: readonly object[], limiter: Limiter, key: Key | undefined): boolean {
  return identities.some((identity) =>
    passages.get(identity)?.some((one) => one.limiter === limiter && one.key === key),
  );
}

/** Remembers that `limiter` has let a request through for `key`. */
export function markPassed(identities: readonly object[], limiter: Limiter, key: Key | undefined): void {
  for (const identity of identities) {
    const earlier = passages.get(identity);
    if (earlier === undefined) passages.set(identity, [{ limiter, key }]);
    else earlier.push({ limiter, key });
  }
}
