import { Buffer } from 'node:buffer';
import { randomUUID } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import { clearInterval, setInterval } from 'node:timers';
import { crc32 } from 'node:zlib';
import { Options, SluiceError, type SluiceErrorCode } from '../../input/index.js';
import type {
  NewEntry,
  OpenStore,
  Store,
  StoreContent,
  StoredEntry,
  StoreFormat,
  StoreOptions,
} from '../../overflow/index.js';
import {
  checkedPort,
  codeOf,
  faultOf,
  Keys,
  list,
  type RedisPort,
  retryMs,
  type Script,
  sleep,
  text,
  within,
} from '../client/index.js';
import {
  appendEntries,
  leaveStore,
  openStore,
  removeEntries,
  renewLease,
  takeEntries,
} from './store-scripts.js';

/** The options of `redisStore`. */
export interface RedisStoreOptions extends StoreOptions {
  /** What `nodeRedis` or `ioRedis` returned. */
  readonly redis: RedisPort;
  /**
   * The key of the stream, for example `shop:{x1}:overflow`. Lanes but the first have streams of their own, with the
   * same hash tag. Nothing else may write to them.
   */
  readonly stream: string;
  /**
   * How long the store belongs to a process that does not say a word, in milliseconds: 500 to 600,000. Default: 10,000.
   * As long may it take until another process can open the store of one that was killed.
   */
  readonly leaseMs?: number | undefined;
  /** How long a call tries to get an answer of the server, in milliseconds: 100 to 600,000. Default: 5,000. */
  readonly timeoutMs?: number | undefined;
}

/** The version of what the streams and the other keys of a store are. */
const layoutVersion = 1;
/** One more than the greatest number of an entry. */
const idEnd = 2 ** 50;
/** More than a store ever counts. */
const deliveriesMax = 2 ** 31 - 1;
/** In front of an entry's bytes in its stream. */
const checksumBytes = 4;
/** About the most bytes that are read with one command. */
const pageBytes = 2 ** 20;
/** Every part of its lease, a store renews it. */
const renewals = 3;
/** How often in the time of a lease to look whether a silent owner has lost it. */
const looks = 20;

/** What a store needs for its calls. */
interface Settings {
  readonly redis: RedisPort;
  readonly keys: Keys;
  readonly maxRecords: number;
  readonly leaseMs: number;
  readonly timeoutMs: number;
}

/**
 * Keeps entries in a stream of a Redis or Valkey server, one stream for each lane. Another machine can go on with it.
 * Each entry has a checksum. How durable an append is, the server decides: with `appendonly yes` and `appendfsync
 * always` it survives the server's end and a loss of power (see docs/guide/redis.md).
 *
 * One process at a time has the store, by a lease that it renews. Opening waits until the lease of a process that was
 * killed has run out, at most as long as that lasts, and is refused as soon as it sees the owner renew it. Every script
 * compares the owner: whatever a process sends that another one has taken the store from changes nothing.
 *
 * A call whose answer does not come is made again, until `timeoutMs` are over: an append that the server has done
 * before is not done twice. Entries of an append that was reported as failed are removed with the next one, if they are
 * there after all.
 *
 * @param options `redis`, `stream`, `leaseMs`, `timeoutMs`, and `maxRecords` and `maxBytes`: see `StoreOptions`.
 * @returns The store, not opened yet. One queue can use it. Closing it does not close the client.
 * @throws TypeError, RangeError (`ERR_SLUICE_OPTION`) naming a bad, missing or unknown option.
 * @example
 * const store = redisStore({ redis, stream: 'shop:{x1}:overflow' });
 * const overflowing = Queue.create(Order, { capacity: 65_536, overflow: spill({ store }) });
 */
export function redisStore(options: RedisStoreOptions): Store {
  const where = 'redisStore';
  const known = ['redis', 'stream', 'maxRecords', 'maxBytes', 'leaseMs', 'timeoutMs'];
  const given = new Options(where, options, known);
  const keys = new Keys(where, given.get('stream'));
  const bounds = {
    maxRecords: given.integer('maxRecords', 1, 1_000_000_000, 1_000_000),
    maxBytes: given.integer('maxBytes', 1, 2 ** 50, 2 ** 30),
  };
  const settings = {
    redis: checkedPort(where, given.get('redis')),
    keys,
    maxRecords: bounds.maxRecords,
    leaseMs: given.integer('leaseMs', 500, 600_000, 10_000),
    timeoutMs: given.integer('timeoutMs', 100, 600_000, 5_000),
  };
  return {
    name: keys.stream,
    ...bounds,
    open: (format) => opened(new Calls(settings, format.lanes), settings, format),
  };
}

/** Opens the store when no other process has it, or the lease of the one that has it runs out. */
async function opened(calls: Calls, { leaseMs }: Settings, format: StoreFormat): Promise<OpenStore> {
  const { schema, entryBytes, lanes } = format;
  const waits = new AbortController();
  let first: { readonly holder: string } | undefined;
  let leftMs = Infinity;
  for (;;) {
    const [what, ...more] = list(
      await calls.run(openStore, [layoutVersion, String(schema), entryBytes, lanes]),
    ).map(text);
    if (what === 'open') return new RedisStore(calls, format, contentOf(calls, lanes, more), leaseMs);
    if (what === 'format') throw calls.otherFormat(more[0] ?? '', more[1] ?? '', format);
    if (what === 'foreign') {
      throw calls.error('ERR_SLUICE_LAYOUT', 'a stream with entries, but no store of sluice');
    }
    if (what !== 'held') throw calls.unexpected();
    const [holder = ''] = more;
    const ttl = whole(more[1], 600_000);
    first ??= { holder };
    // The lease of an owner that is silent only gets shorter.
    if (ttl === undefined || holder !== first.holder || ttl > leftMs) {
      throw calls.error('ERR_SLUICE_STORE_LOCKED', 'another process, or another queue, has it open');
    }
    leftMs = ttl;
    await sleep(Math.min(ttl + 1, leaseMs / looks), waits.signal);
  }
}

function contentOf(calls: Calls, lanes: number, [lost, ...more]: readonly string[]): StoreContent {
  const counts = Array.from({ length: lanes }, (_, lane) => whole(more[2 * lane], 2 ** 32));
  const ids = Array.from({ length: lanes }, (_, lane) => whole(more[2 * lane + 1], idEnd - 1));
  const lostCount = whole(lost, 2 ** 32);
  if (lostCount === undefined || counts.includes(undefined)) throw calls.unexpected();
  if (ids.includes(undefined)) {
    throw calls.error('ERR_SLUICE_STORE_DAMAGED', 'it has an entry with a number that no store gives');
  }
  const damage = lostCount === 0 ? undefined : `${lostCount} entries are not in the stream any more`;
  const lastId = Math.max(...(ids as number[]));
  return { lanes: counts as number[], lastId, lost: lostCount, damage };
}

class RedisStore implements OpenStore {
  readonly content: StoreContent;
  readonly #calls: Calls;
  readonly #entryBytes: number;
  readonly #renewal: NodeJS.Timeout;
  readonly #running = new Set<Promise<unknown>>();
  #appends = 0;
  /** The number of the last entry that is known to be in the store. */
  #lastId: number;

  constructor(calls: Calls, { entryBytes }: StoreFormat, content: StoreContent, leaseMs: number) {
    this.#calls = calls;
    this.#entryBytes = entryBytes;
    this.content = content;
    this.#lastId = content.lastId;
    // A failure shows in the next call that somebody waits for.
    const renew = (): void => void this.#run(() => calls.run(renewLease, [])).catch(() => {});
    this.#renewal = setInterval(renew, leaseMs / renewals).unref();
  }

  append(entries: readonly NewEntry[]): Promise<void> {
    const args = entries.flatMap(({ id, lane, bytes }) => [lane, id, this.#value(lane, id, bytes)]);
    const last = entries.at(-1)?.id ?? this.#lastId;
    return this.#run(async () => {
      await this.#calls.done(appendEntries, [
        ...[++this.#appends, this.#lastId, this.#calls.maxRecords],
        ...args,
      ]);
      this.#lastId = last;
    });
  }

  take(lane: number, after: number, max: number): Promise<StoredEntry[]> {
    return this.#run(async () => {
      const taken: StoredEntry[] = [];
      const perPage = Math.max(1, Math.floor(pageBytes / (this.#entryBytes + checksumBytes)));
      for (;;) {
        const most = Math.min(perPage, max - taken.length);
        const from = (taken.at(-1)?.id ?? after) + 1;
        const reply = await this.#calls.run(takeEntries, [lane, from, most], { bytes: true });
        const there = this.#read(lane, from, most, list(reply), taken);
        if (there < most || taken.length >= max) return taken;
      }
    });
  }

  remove(lane: number, ids: readonly number[]): Promise<void> {
    return this.#run(() => this.#calls.done(removeEntries, [lane, ...ids]));
  }

  async close(): Promise<void> {
    clearInterval(this.#renewal);
    await Promise.allSettled(this.#running);
    await this.#calls.run(leaveStore, []).catch(() => {}); // the lease runs out by itself
  }

  async #run<T>(call: () => Promise<T>): Promise<T> {
    const running = call();
    this.#running.add(running);
    try {
      return await running;
    } finally {
      this.#running.delete(running);
    }
  }

  #value(lane: number, id: number, bytes: Uint8Array): Buffer {
    const value = Buffer.allocUnsafe(checksumBytes + bytes.length);
    value.writeUInt32BE(checksumOf(lane, id, bytes), 0);
    value.set(bytes, checksumBytes);
    return value;
  }

  /** Adds the entries of a reply to `taken`. Returns how many there were in the stream, those without a number too. */
  #read(lane: number, from: number, most: number, reply: readonly unknown[], taken: StoredEntry[]): number {
    const [what, there] = reply;
    this.#calls.check(text(what), 'taken');
    const count = whole(there, most);
    const values = reply.slice(2);
    if (count === undefined || values.length % 3 !== 0 || values.length > 3 * count) {
      throw this.#calls.unexpected();
    }
    let least = from;
    for (let at = 0; at < values.length; at += 3) {
      const id = whole(values[at], idEnd - 1);
      const deliveries = whole(values[at + 1], deliveriesMax);
      if (id === undefined || id < least || deliveries === undefined || deliveries < 1) {
        throw this.#calls.unexpected();
      }
      taken.push({ id, deliveries, bytes: this.#bytes(lane, id, values[at + 2]) });
      least = id + 1;
    }
    return count;
  }

  #bytes(lane: number, id: number, value: unknown): Uint8Array | undefined {
    if (!Buffer.isBuffer(value) || value.length !== checksumBytes + this.#entryBytes) return undefined;
    const bytes = Uint8Array.from(value.subarray(checksumBytes));
    return value.readUInt32BE(0) === checksumOf(lane, id, bytes) ? bytes : undefined;
  }
}

type StoreCode = Extract<
  SluiceErrorCode,
  `ERR_SLUICE_STORE_${string}` | 'ERR_SLUICE_FULL' | 'ERR_SLUICE_SCHEMA' | 'ERR_SLUICE_LAYOUT'
>;

/** What a script says that has done nothing. */
const refusals: Readonly<Record<string, readonly [StoreCode, string]>> = {
  gone: ['ERR_SLUICE_STORE_DAMAGED', 'the server has lost it'],
  taken: ['ERR_SLUICE_STORE_LOCKED', 'another process has it, because this one was silent for too long'],
  full: ['ERR_SLUICE_FULL', 'full: its streams have maxRecords entries'],
  foreign: ['ERR_SLUICE_STORE_DAMAGED', 'another program has added entries to its streams'],
};

/** The calls of one opening of a store. */
class Calls {
  readonly maxRecords: number;
  readonly #redis: RedisPort;
  readonly #name: string;
  readonly #keys: readonly string[];
  readonly #leaseMs: number;
  readonly #timeoutMs: number;
  readonly #token = randomUUID();

  constructor({ redis, keys, maxRecords, leaseMs, timeoutMs }: Settings, lanes: number) {
    this.maxRecords = maxRecords;
    this.#redis = redis;
    this.#name = keys.stream;
    this.#keys = [...keys.store, ...Array.from({ length: lanes }, (_, lane) => keys.lane(lane))];
    this.#leaseMs = leaseMs;
    this.#timeoutMs = timeoutMs;
  }

  /** Runs a script until the server has answered, or the time is over. Scripts do the same thing once. */
  async run(
    script: Script,
    args: ReadonlyArray<string | number | Buffer>,
    options?: { readonly bytes: boolean },
  ): Promise<unknown> {
    const deadline = performance.now() + this.#timeoutMs;
    const never = new AbortController();
    for (let attempt = 1; ; attempt++) {
      try {
        const given = [this.#token, this.#leaseMs, ...args];
        const leftMs = Math.max(1, deadline - performance.now());
        return await within(leftMs, script.run(this.#redis, this.#keys, given, options));
      } catch (error) {
        const waitMs = retryMs(attempt);
        const isOver = performance.now() + waitMs >= deadline;
        if (codeOf(error) === 'OOM' || faultOf(error) !== 'again' || isOver) throw this.#failure(error);
        await sleep(waitMs, never.signal);
      }
    }
  }

  /** Runs a script that answers 'done', or throws what it says. */
  async done(script: Script, args: ReadonlyArray<string | number | Buffer>): Promise<void> {
    this.check(text(await this.run(script, args)), 'done');
  }

  /** @throws SluiceError unless the script says what is expected of it. */
  check(said: string, expected: string): void {
    if (said === expected) return;
    const [code, what] = refusals[said] ?? [];
    throw code === undefined || what === undefined ? this.unexpected() : this.error(code, what);
  }

  error(code: StoreCode, what: string, cause?: unknown): SluiceError {
    return new SluiceError(code, `${this.#name}: ${what}`, cause === undefined ? undefined : { cause });
  }

  unexpected(): SluiceError {
    return this.error(
      'ERR_SLUICE_STORE_FAILED',
      'the server has sent a reply that no script of a store gives',
    );
  }

  otherFormat(name: string, found: string, format: StoreFormat): SluiceError {
    if (name === 'version') {
      return this.error('ERR_SLUICE_LAYOUT', `a store of another version of sluice (${found.slice(0, 32)})`);
    }
    const expected = String(format[name as keyof StoreFormat]);
    const what = `its entries have ${name.slice(0, 32)} ${found.slice(0, 32)}, the queue's have ${expected}`;
    return this.error('ERR_SLUICE_SCHEMA', what);
  }

  #failure(error: unknown): SluiceError {
    const message = error instanceof Error ? error.message : String(error);
    if (codeOf(error) === 'OOM') return this.error('ERR_SLUICE_FULL', message, error);
    if (codeOf(error) === 'WRONGTYPE') return this.error('ERR_SLUICE_LAYOUT', message, error);
    return this.error('ERR_SLUICE_STORE_FAILED', message, error);
  }
}

/** A checksum over an entry's bytes, its lane and its number, so that the bytes of another entry are damaged, too. */
function checksumOf(lane: number, id: number, bytes: Uint8Array): number {
  return crc32(bytes, crc32(`${lane} ${id}`));
}

/** Returns a whole number from 0 to `max` that the server has sent, as a number or as text; undefined for all else. */
function whole(value: unknown, max: number): number | undefined {
  const said = text(value);
  if (!/^\d{1,16}$/.test(said)) return undefined;
  const number = Number(said);
  return number <= max ? number : undefined;
}
