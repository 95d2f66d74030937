/** Reads and writes byte strings in one buffer, each behind its length of 16 bits. */
import { copied, isUint8Array, Octets, View } from '../binding/index.js';

const lengthBytes = 2;
/**
 * The built-in getter of `length`, which returns how many elements `set` copies. An array's own property `length`, or
 * that of a subclass, may be anything.
 */
const { get: lengthGetter } = Object.getOwnPropertyDescriptor(
  Object.getPrototypeOf(Uint8Array.prototype),
  'length',
) as { get: () => number };
const lengthOf = Function.prototype.call.bind(lengthGetter) as (array: Uint8Array) => number;

export class BytesCodec {
  readonly #memory: ArrayBuffer;
  readonly #view: View;
  readonly #bytes: Octets;

  constructor(memory: ArrayBuffer) {
    this.#memory = memory;
    this.#view = new View(memory);
    this.#bytes = new Octets(memory);
  }

  /**
   * Writes `value` at `at`. Returns false if `value` is not a `Uint8Array`, is detached, or is too long; the bytes of
   * the field then mean nothing.
   */
  write(value: unknown, at: number, maxBytes: number): boolean {
    if (!isUint8Array(value)) return false;
    const length = lengthOf(value);
    if (length > maxBytes) return false;
    try {
      this.#bytes.set(value, at + lengthBytes);
    } catch {
      return false; // detached: the only array of a fitting length that cannot be copied
    }
    // Another thread may have grown the shared memory meanwhile. Then more was copied, within the buffer, but beyond
    // the field. Shared memory never shrinks.
    if (lengthOf(value) !== length) return false;
    this.#view.setUint16(at, length, true);
    return true;
  }

  read(at: number): Uint8Array {
    return copied(this.#memory, at + lengthBytes, this.#view.getUint16(at, true));
  }
}
