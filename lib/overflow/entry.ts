import { randomBytes } from 'node:crypto';
import { type Codec, codecOf, type RecordType } from '../record/index.js';

/** The bytes that describe an order that was admitted aside: see `LayeredGate.push`. */
const asideBytes = 32;
const processBytes = 16;
/** What an entry has beyond its record. */
const extraBytes = asideBytes + processBytes;

/** An entry's record, and what its gate, if it has come through one, needs. */
export interface Entry<T> {
  readonly record: T;
  /** Undefined if the record came through no gate. */
  readonly order: { readonly aside: Uint8Array; readonly isOfThisProcess: boolean } | undefined;
}

/**
 * Encodes the entries of one queue:
 *
 *   | record | aside: of an order that was admitted aside, else zeros | the process that has admitted it |
 *
 * `aside` names a reservation, which means something only where the ledger is the same: in the process that wrote it.
 */
export class EntryCodec<T> {
  readonly bytes: number;
  readonly #recordBytes: number;
  readonly #buffer: Uint8Array<ArrayBuffer>;
  readonly #codec: Codec<T>;
  readonly #process: Buffer = randomBytes(processBytes);

  constructor(record: RecordType<T>) {
    this.#recordBytes = record.bytes;
    this.bytes = record.bytes + extraBytes;
    this.#buffer = new Uint8Array(this.bytes);
    this.#codec = codecOf(record, this.#buffer.buffer);
  }

  /** Throws the record's typed error for a bad value. */
  encode(value: T, aside: Uint8Array | undefined): Uint8Array {
    this.#buffer.fill(0);
    this.#codec.encode(value);
    const entry = this.#buffer.slice();
    if (aside !== undefined) {
      entry.set(aside, this.#recordBytes);
      entry.set(this.#process, this.#recordBytes + asideBytes);
    }
    return entry;
  }

  /** Returns undefined if these are the bytes of no record: a store that a program wrote may have any. */
  decode(entry: Uint8Array): Entry<T> | undefined {
    let record: T;
    try {
      this.#buffer.set(entry);
      record = this.#codec.decode(0);
      this.#codec.encode(record); // checks its values
    } catch {
      return undefined;
    }
    const aside = entry.slice(this.#recordBytes, this.#recordBytes + asideBytes);
    if (aside.every((byte) => byte === 0)) return { record, order: undefined };
    const process = entry.subarray(this.#recordBytes + asideBytes);
    return { record, order: { aside, isOfThisProcess: this.#process.equals(process) } };
  }
}

/** The reservation that an order admitted aside has; undefined if its gate has no stock. */
export function reservationIn(aside: Uint8Array): bigint | undefined {
  const [reservation] = new BigUint64Array(aside.slice().buffer); // as native code has written it, at the front
  return reservation === noReservation ? undefined : reservation;
}

const noReservation = 2n ** 64n - 1n;
