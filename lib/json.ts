/** Answers that survive JSON: bigints, which it does not know, become decimal strings. */

/**
 * Gives what `Answer` makes a `toJSON`, on its prototype: an answer has the same own properties as without, is equal to
 * a plain object with these, and takes no more memory.
 */
export function withJson<C extends new (...args: never[]) => object>(Answer: C): C {
  Object.defineProperties(Answer.prototype, {
    toJSON: { value: toJson, writable: true, configurable: true },
    // By which test frameworks tell types apart.
    constructor: { value: Object, writable: true, configurable: true },
  });
  return Answer;
}

function toJson(this: object): object {
  const entries = Object.entries(this).map(([name, value]): [string, unknown] => [name, jsonOf(name, value)]);
  return Object.fromEntries(entries);
}

/** A user stays a number, which is the same user, where it can: as a text it would be another one. */
function jsonOf(name: string, value: unknown): unknown {
  if (typeof value !== 'bigint') return value;
  return name === 'user' && value <= Number.MAX_SAFE_INTEGER ? Number(value) : String(value);
}
