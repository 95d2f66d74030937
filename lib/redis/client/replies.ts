import { Buffer } from 'node:buffer';

const { isSafeInteger } = Number;

/** An entry of a stream: its id, and its names and values in turn. Null: the entry has been deleted. */
export type RawEntry = readonly [id: unknown, fields: readonly unknown[] | null];

/** Returns a bulk string as text; '' for what is none. */
export function text(value: unknown): string {
  if (Buffer.isBuffer(value)) return value.toString();
  return typeof value === 'object' && value !== null ? '' : String(value);
}

/** Returns a bulk string as bytes. */
export function bytes(value: unknown): Buffer {
  return Buffer.isBuffer(value) ? value : Buffer.from(String(value));
}

export function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/**
 * Returns a list of `length` whole numbers from 0 on. @throws the error of `noReply`.
 */
export function countsIn(reply: unknown, length: number): number[] {
  const counts = list(reply).map((value) => (text(value) === '' ? Number.NaN : Number(text(value))));
  if (counts.length === length && counts.every((count) => isSafeInteger(count) && count >= 0)) return counts;
  throw noReply(`${length} whole numbers`);
}

/** Returns a list that a reply has as JSON. @throws the error of `noReply`. */
export function listInJson(reply: unknown): readonly unknown[] {
  try {
    const given: unknown = JSON.parse(text(reply));
    if (Array.isArray(given)) return given;
  } catch {
    // It is no JSON.
  }
  throw noReply('a list as JSON');
}

/**
 * Returns the error of a reply that the server does not give to this command. It is no error of the server: the command
 * may have run, as if its reply had been lost.
 */
export function noReply(expected: string): Error {
  return new Error(`the reply is not what the command answers: expected ${expected}`);
}

/**
 * Returns the entries that XREADGROUP read from one stream. The reply has pairs of stream and entries with RESP 2; with
 * RESP 3 it is an object or a Map (node-redis), a flat list or a Map (ioredis).
 */
export function entriesOf(reply: unknown): readonly RawEntry[] {
  if (reply === null || reply === undefined) return [];
  if (reply instanceof Map) return entries([...reply.values()][0]);
  if (!Array.isArray(reply)) return entries(Object.values(reply)[0]);
  return entries(Array.isArray(reply[0]) ? reply[0][1] : reply[1]);
}

function entries(value: unknown): readonly RawEntry[] {
  return list(value).map((entry) => entryOf(entry));
}

/** Returns `value` as an entry. The names and values of an entry are a flat list, whatever the protocol. */
export function entryOf(value: unknown): RawEntry {
  const [id, fields] = list(value);
  return [id, Array.isArray(fields) ? fields : null];
}

/** Returns a map of names and values: a flat list with RESP 2; an object, a Map or pairs with RESP 3. */
export function mapOf(reply: unknown): ReadonlyMap<string, unknown> {
  if (reply instanceof Map) return new Map([...reply].map(([name, value]) => [text(name), value]));
  if (!Array.isArray(reply)) return new Map(Object.entries(reply ?? {}));
  const map = new Map<string, unknown>();
  for (let i = 0; i + 1 < reply.length; i += 2) map.set(text(reply[i]), reply[i + 1]);
  return map;
}
