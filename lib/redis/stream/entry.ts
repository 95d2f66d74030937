import { Buffer } from 'node:buffer';
import { createHash } from 'node:crypto';
import { fieldError } from '../../input/index.js';
import { type Codec, codecOf, type RecordType } from '../../record/index.js';
import { bytes, text } from '../client/index.js';

/** The version of the form of an entry. */
const version = '1';
/** The kinds of fields that can be the id of an order: their values have one text each. */
const idKinds = /^(?:[ui](?:8|16|32|64)|u53|utf8\(\d+\))$/;

/** The names of an entry. The last one is only there for an order of a gate. */
const names = ['sluice', 'schema', 'id', 'order', 'reservation'] as const;
const reservationMax = 2n ** 64n - 1n;

/** The error of an entry that is no order: another program wrote it, or it is damaged. */
class Foreign extends Error {}

/** An order as an entry of a stream has it. */
export interface Written<T> {
  /** The order as a reader of the entry gets it. */
  readonly order: T;
  readonly id: string;
  readonly body: Buffer;
}

/** An order to be pushed. */
export interface Encoded extends Written<unknown> {
  /** A hash of the body: two orders with one id are the same order if they have one body. */
  readonly digest: string;
}

/** An entry of a stream. */
export interface Read<T> {
  readonly order: T;
  /** The reservation of an order that a gate has admitted; undefined for one that was pushed. */
  readonly reservation: bigint | undefined;
}

/**
 * Makes entries of orders, and orders of entries. An entry has four names and values: `sluice` (the version of this
 * form), `schema` (the hash of the record's schema in hexadecimal), `id`, and `order` (the bytes of the record). An
 * entry that a gate has made has a fifth one, `reservation`: a decimal number of 64 bits.
 */
export class EntryForm<T> {
  readonly schema: string;
  readonly #record: RecordType<T>;
  readonly #id: keyof T & string;
  #isEncoding = false;
  readonly #scratch: Scratch<T>;

  /** `id`: the name of the field that identifies an order. */
  constructor(record: RecordType<T>, id: keyof T & string) {
    this.schema = record.schema.toString(16).padStart(16, '0');
    this.#record = record;
    this.#id = id;
    this.#scratch = new Scratch(record);
  }

  /** @throws TypeError, RangeError (`ERR_SLUICE_FIELD`) that names the field with a bad value. */
  encode(order: T): Encoded {
    const written = this.write(order);
    const digest = createHash('sha256').update(written.body).digest('hex').slice(0, 32);
    return { ...written, digest };
  }

  /** As `encode`, without the hash. */
  write(order: T): Written<T> {
    // A getter of the order may push another order meanwhile.
    const isWithin = this.#isEncoding;
    const scratch = isWithin ? new Scratch(this.#record) : this.#scratch;
    this.#isEncoding = true;
    try {
      const { value, body } = scratch.encode(order);
      const id = String(value[this.#id]);
      if (id === '') throw fieldError(this.#id, 'an id that is not empty', id, false);
      return { order: value, id, body };
    } finally {
      this.#isEncoding = isWithin;
    }
  }
}

/** Makes orders of the entries of a stream. */
export class EntryReader<T> {
  readonly #schema: string;
  readonly #scratch: Scratch<T>;

  constructor(record: RecordType<T>) {
    this.#schema = record.schema.toString(16).padStart(16, '0');
    this.#scratch = new Scratch(record);
  }

  /** @throws Foreign, with a message that says what is wrong with the entry. */
  decode(fields: readonly unknown[]): Read<T> {
    const isOfGate = fields.length === 2 * names.length;
    if (fields.length !== 8 && !isOfGate)
      throw new Foreign(`expected 4 or 5 names and values, got ${Math.floor(fields.length / 2)}`);
    for (const [i, name] of (isOfGate ? names : names.slice(0, 4)).entries()) {
      if (text(fields[2 * i]) !== name) throw new Foreign(`expected the name ${name} at place ${i + 1}`);
    }
    if (text(fields[1]) !== version) throw new Foreign(`expected version ${version} of the form of entries`);
    if (text(fields[3]) !== this.#schema)
      throw new Foreign(`expected an order with the schema ${this.#schema}`);
    const reservation = isOfGate ? reservationOf(text(fields[9])) : undefined;
    return { order: this.#scratch.decode(bytes(fields[7])), reservation };
  }
}

/** @throws Foreign */
function reservationOf(digits: string): bigint {
  if (!/^(?:0|[1-9]\d{0,19})$/.test(digits) || BigInt(digits) > reservationMax)
    throw new Foreign('expected the decimal number of a reservation');
  return BigInt(digits);
}

/** Whether a field of this type can be the id of an order. */
export function canBeId(type: string | undefined): boolean {
  return type !== undefined && idKinds.test(type);
}

/** Memory for two records: one to read, one to write. */
class Scratch<T> {
  readonly #size: number;
  readonly #bytes: Buffer;
  readonly #codec: Codec<T>;

  constructor(record: RecordType<T>) {
    const memory = new ArrayBuffer(2 * record.bytes);
    this.#size = record.bytes;
    this.#bytes = Buffer.from(memory);
    this.#codec = codecOf(record, memory);
  }

  encode(order: T): { readonly value: T; readonly body: Buffer } {
    // A shorter text leaves the rest of its place as it is: equal orders must have equal bytes.
    this.#bytes.fill(0);
    this.#codec.encode(order);
    return { value: this.#codec.decode(0), body: Buffer.from(this.#bytes.subarray(0, this.#size)) };
  }

  /** Decodes a body that any client of the server may have written. Its values must encode to the same bytes again. */
  decode(body: Buffer): T {
    const size = this.#size;
    if (body.length !== size) throw new Foreign(`expected an order of ${size} bytes, got ${body.length}`);
    this.#bytes.fill(0);
    this.#bytes.set(body, 0);
    let order: T;
    try {
      order = this.#codec.decode(0);
      this.#codec.encodeAt(order, size);
    } catch (error) {
      throw new Foreign(error instanceof Error ? error.message : String(error));
    }
    if (!this.#bytes.subarray(0, size).equals(this.#bytes.subarray(size))) {
      throw new Foreign('the bytes of the order are no values of its fields');
    }
    return order;
  }
}
