/**
 * Reads and writes trace contexts (W3C Trace Context, https://www.w3.org/TR/trace-context/) in one buffer, each as 25
 * bytes: trace-id (16), parent-id (8), flags (1). No trace is a trace-id of zeros, which the standard forbids.
 */
import { arrays, Octets } from '../binding/index.js';

export const traceBytes = 25;
/** The length of `00-<32 digits>-<16 digits>-<2 digits>`. */
const textLength = 55;
const dash = 0x2d;
/** Where the parts begin, in characters and in bytes. */
const idAt = 3;
const parentAt = 36;
const flagsAt = 53;
const idBytes = 16;
const parentEnd = 24;

export class TraceCodec {
  readonly #bytes: Octets;
  readonly #elements: Uint8Array;

  constructor(buffer: ArrayBuffer) {
    this.#bytes = new Octets(buffer);
    this.#elements = new arrays.Uint8Array(buffer);
  }

  /**
   * Writes `value` at `at`. Returns false if it is neither '' nor a trace context; the bytes of the field then mean
   * nothing.
   */
  write(value: string, at: number): boolean {
    if (value.length === 0) {
      for (let i = 0; i < traceBytes; i++) this.#elements[at + i] = 0;
      return true;
    }
    if (value.length !== textLength || !isZeros(value, 0, 2)) return false;
    if (!isDash(value, idAt - 1) || !isDash(value, parentAt - 1) || !isDash(value, flagsAt - 1)) return false;
    return (
      this.#write(value, idAt, at, idBytes) > 0 &&
      this.#write(value, parentAt, at + idBytes, parentEnd - idBytes) > 0 &&
      this.#write(value, flagsAt, at + parentEnd, 1) >= 0
    );
  }

  read(at: number): string {
    let used = 0;
    for (let i = 0; i < idBytes; i++) used |= this.#elements[at + i] as number;
    if (used === 0) return '';
    const id = this.#bytes.hexSlice(at, at + idBytes);
    const parent = this.#bytes.hexSlice(at + idBytes, at + parentEnd);
    return `00-${id}-${parent}-${this.#bytes.hexSlice(at + parentEnd, at + traceBytes)}`;
  }

  /** Writes `count` bytes of hexadecimal digits. Returns whether one of them is not 0; -1 if one is no digit. */
  #write(value: string, from: number, at: number, count: number): number {
    let used = 0;
    for (let i = 0; i < count; i++) {
      const high = digit(value.charCodeAt(from + 2 * i));
      const low = digit(value.charCodeAt(from + 2 * i + 1));
      if (high < 0 || low < 0) return -1;
      const byte = (high << 4) | low;
      used |= byte;
      this.#elements[at + i] = byte;
    }
    return used;
  }
}

/** Returns the value of a hexadecimal digit in lower case; -1 if `code` is none. */
function digit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  return code >= 0x61 && code <= 0x66 ? code - 0x57 : -1;
}

function isDash(value: string, at: number): boolean {
  return value.charCodeAt(at) === dash;
}

function isZeros(value: string, from: number, end: number): boolean {
  for (let i = from; i < end; i++) if (value.charCodeAt(i) !== 0x30) return false;
  return true;
}

const scratch = new TraceCodec(new ArrayBuffer(traceBytes));

/**
 * Returns the trace context of a request, for a field `traceContext()`: '' if the header `traceparent` is missing or
 * malformed, in which case the standard asks a server to start a new trace. A header of a later version of the standard
 * is read as one of version 00.
 *
 * @param header The header `traceparent`: whatever a client may have sent.
 * @returns The trace context, or ''.
 * @throws Nothing.
 * @example
 * const trace = traceparent(request.headers.traceparent);
 */
export function traceparent(header: unknown): string {
  if (typeof header !== 'string' || header.length < textLength) return '';
  const version = header.slice(0, 2);
  const isLater = digit(version.charCodeAt(0)) >= 0 && digit(version.charCodeAt(1)) >= 0 && version !== 'ff';
  const endsThere = header.length === textLength || (version !== '00' && isDash(header, textLength));
  if (!isLater || !endsThere) return '';
  const context = `00${header.slice(2, textLength)}`;
  return scratch.write(context, 0) ? context : '';
}
