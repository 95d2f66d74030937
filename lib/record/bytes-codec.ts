/** Byte strings with a 16-bit length in front, over one buffer. */
import { copied, isUint8Array, Octets, View } from '../binding/index.js';

const lengthBytes = 2;
/** A subclass or an own property may say anything of `length`; this is what `set` copies. */
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

  /** Writes `value` at `at`. False, with nothing of meaning written, if it is no `Uint8Array`, detached or too long. */
  write(value: unknown, at: number, maxBytes: number): boolean {
    if (!isUint8Array(value)) return false;
    const length = lengthOf(value);
    if (length > maxBytes) return false;
    try {
      this.#bytes.set(value, at + lengthBytes);
    } catch {
      return false; // detached: the only array of a fitting length that cannot be copied
    }
    // Shared memory that another thread has made longer meanwhile: more was copied, within the buffer, but beyond the
    // field. It is never made shorter.
    if (lengthOf(value) !== length) return false;
    this.#view.setUint16(at, length, true);
    return true;
  }

  read(at: number): Uint8Array {
    return copied(this.#memory, at + lengthBytes, this.#view.getUint16(at, true));
  }
}
