/** Reads and writes strings as UTF-8 in one buffer, each behind its length of 16 bits. */
import { Buffer } from 'node:buffer';
import { arrays, Octets, View } from '../binding/index.js';

const lengthBytes = 2;
/**
 * Up to this number of characters, a loop over character codes is faster than a call into the runtime (measured on
 * ASCII).
 */
const shortMax = 48;

export class TextCodec {
  readonly #view: View;
  readonly #bytes: Octets;
  /**
   * The bytes of `#bytes` as an ordinary array. V8 writes an element of an `Octets` by a call (35 ns), because the
   * prototype of `Octets` is replaced.
   */
  readonly #elements: Uint8Array;

  constructor(buffer: ArrayBuffer) {
    this.#view = new View(buffer);
    this.#bytes = new Octets(buffer);
    this.#elements = new arrays.Uint8Array(buffer);
  }

  /**
   * Writes `value` at `at`. Returns false if `value` is too long or not well-formed; the bytes of the field then mean
   * nothing.
   */
  write(value: string, at: number, maxBytes: number): boolean {
    const length = value.length;
    if (length > maxBytes) return false;
    const start = at + lengthBytes;
    if (length > shortMax) return this.#writeLong(value, at, maxBytes);
    for (let i = 0; i < length; i++) {
      const code = value.charCodeAt(i);
      if (code > 0x7f) return this.#writeLong(value, at, maxBytes);
      this.#elements[start + i] = code;
    }
    this.#view.setUint16(at, length, true);
    return true;
  }

  read(at: number): string {
    const start = at + lengthBytes;
    return this.#bytes.utf8Slice(start, start + this.#view.getUint16(at, true));
  }

  #writeLong(value: string, at: number, maxBytes: number): boolean {
    if (!value.isWellFormed() || Buffer.byteLength(value, 'utf8') > maxBytes) return false;
    this.#view.setUint16(at, this.#bytes.utf8Write(value, at + lengthBytes, maxBytes), true);
    return true;
  }
}

/** Returns the JSON of `value`; undefined if it has none. */
export function jsonText(value: unknown): string | undefined {
  try {
    return JSON.stringify(value);
  } catch {
    return undefined; // circular, a bigint, nested too deeply, or its own toJSON failed
  }
}
