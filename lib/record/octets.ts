/** Byte strings with a 16-bit length in front, over one buffer. */
import { isUint8Array } from 'node:util/types';

const lengthBytes = 2;
/** A subclass or an own property may say anything of `length`; this is what `set` copies. */
const lengthOf = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Uint8Array.prototype), 'length')
  ?.get as (this: Uint8Array) => number;

export class OctetsCodec {
  readonly #view: DataView;
  readonly #bytes: Uint8Array;

  constructor(buffer: ArrayBuffer) {
    this.#view = new DataView(buffer);
    this.#bytes = new Uint8Array(buffer);
  }

  /** Writes `value` at `at`. False, with nothing of meaning written, if it is no `Uint8Array`, detached, or too long. */
  write(value: unknown, at: number, maxBytes: number): boolean {
    if (!isUint8Array(value)) return false;
    const length = lengthOf.call(value);
    if (length > maxBytes) return false;
    try {
      this.#bytes.set(value, at + lengthBytes);
    } catch {
      return false; // detached: the only array of a fitting length that cannot be copied
    }
    this.#view.setUint16(at, length, true);
    return true;
  }

  read(at: number): Uint8Array {
    const start = at + lengthBytes;
    return this.#bytes.slice(start, start + this.#view.getUint16(at, true));
  }
}
