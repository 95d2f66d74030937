/** Makes answers that JSON can express. JSON has no bigints: they become decimal strings, or numbers (see jsonOf()). */

/**
 * Gives the objects of `Answer` a `toJSON`, on their prototype: an answer keeps its own properties, equals a plain
 * object with the same properties, and takes no more memory.
 */
export function withJson<C extends new (...args: never[]) => object>(Answer: C): C {
  Object.defineProperties(Answer.prototype, {
    toJSON: { value: toJson, writable: true, configurable: true },
    // Test frameworks compare the constructors of objects: with this one, an answer equals a plain object.
    constructor: { value: Object, writable: true, configurable: true },
  });
  return Answer;
}

function toJson(this: object): object {
  const entries = Object.entries(this).map(([name, value]): [string, unknown] => [name, jsonOf(name, value)]);
  return Object.fromEntries(entries);
}

/**
 * A bigint user becomes a number if the number is exact, because the number names the same user, and a text would name
 * another one. Every other bigint becomes a decimal string.
 */
function jsonOf(name: string, value: unknown): unknown {
  if (typeof value !== 'bigint') return value;
  return name === 'user' && value <= Number.MAX_SAFE_INTEGER ? Number(value) : String(value);
}
