import { channel } from 'node:diagnostics_channel';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { optionError, SluiceError } from '../input/index.js';
import type { Held, LayeredGate, LayeredQueue, OverflowLayer } from '../queue/index.js';
import { Appends, type Room } from './appends.js';
import { openChecked } from './checked-store.js';
import { type Entry, EntryCodec, reservationIn } from './entry.js';
import { type Lane, newLane } from './lane.js';
import { readmit } from './readmit.js';
import { Settling } from './settling.js';
import type { SpillStats } from './spill.js';
import type { OpenStore, Store, StoredEntry } from './store.js';
import { Waits } from './waits.js';

/** Publishes each entry whose bytes were damaged: `{ store, lane, id }`. */
const damages = channel('sluice:overflow:damaged');
/** Publishes each failure of the store after which the layer tries again by itself: `{ store, error }`. */
const failures = channel('sluice:overflow:failed');
/**
 * Publishes each stored order that its gate refuses after a restart: `{ store, order, outcome }`, or `{ store, order,
 * error }` if the error was of the order: then it stays in the store, for the next process.
 */
const refusals = channel('sluice:overflow:refused');

/**
 * How many pushes of a lane follow one that has looked at the lane's wait: a look costs more than a push. Half of those
 * that keep the wait short at the present rate, within these bounds. As long as no rate is known: the most if the lane
 * is empty, as it is at each look when its consumer keeps up, otherwise the middle.
 */
const unlooked = { least: 4, middle: 16, most: 64 };
/** How many entries are taken from the store at once. */
const takenAtOnce = 256;
/** How many records are pushed to the ring at once, and removed together. */
const pushedAtOnce = 64;
/** How long to wait before a failed call of the store, or an order without room, is tried again, in milliseconds. */
const retryMs = 100;

/** The checked options of `spill`. */
export interface Settings<T> {
  readonly store: Store;
  readonly expectedWaitMs: number;
  readonly onRedelivered: ((record: T, deliveries: number) => unknown) | undefined;
  readonly keyOf: ((order: T) => unknown) | undefined;
}

/**
 * The layer behind the ring of one queue object. It decides which records go to the store, appends them, and moves them
 * to the ring in their order, as room appears, in the event loop of this thread.
 *
 *   push ---> ring                             the expected wait is short, and nothing of the lane is behind
 *        ---> Appends ---> store ---> pump ---> ring ---> consumed ---> Settling removes the entry from the store
 */
export class SpillLayer<T> implements OverflowLayer<T> {
  /** See `OverflowLayer`. */
  holding: number;
  readonly opened: Promise<void>;
  readonly #queue: LayeredQueue<T>;
  readonly #settings: Settings<T>;
  readonly #codec: EntryCodec<T>;
  readonly #lanes: Lane[];
  readonly #room: Room = { records: 0, refused: 0 };
  readonly #counts = { appended: 0, redelivered: 0, damaged: 0, lost: 0, refusedOrders: 0, failures: 0 };
  readonly #appends: Appends;
  readonly #settling: Settling;
  readonly #ending = new AbortController();
  /** Of a timer that keeps no process alive, and stops when the layer ends. */
  readonly #untilEnd = { ref: false, signal: this.#ending.signal };
  /** Whether the ring takes no more records: what is in the store then stays there for the next process. */
  #isRingClosed = false;
  readonly #pumps = new Set<Promise<void>>();
  #store: OpenStore | undefined;
  #failure: unknown;
  #gate: LayeredGate<T> | undefined;
  readonly #whenJoined = new Waits();
  readonly #whenEmpty = new Waits();
  #closed: Promise<void> | undefined;

  constructor(queue: LayeredQueue<T>, settings: Settings<T>) {
    this.#queue = queue;
    this.#settings = settings;
    this.#codec = new EntryCodec(queue.record);
    this.holding = queue.lanes;
    this.#lanes = Array.from({ length: queue.lanes }, newLane);
    this.#appends = new Appends(
      settings.store,
      this.#codec.bytes,
      queue.maxWaiting,
      this.#room,
      (lane, durable) => this.#appended(lane, durable),
    );
    this.#settling = new Settling(queue.lanes, {
      gone: (lane) => queue.gone(lane),
      isDecided: (reservation) => this.#gate?.isDecided(reservation) ?? false,
      removed: (count) => this.#removed(count),
      failed: (error) => this.#failed(error),
    });
    this.opened = this.#open();
    this.opened.catch(() => {}); // each push rejects with it, too
  }

  get isFull(): boolean {
    return this.#appends.refusal() !== undefined;
  }

  holds(lane: number): boolean {
    return this.#store === undefined || (this.#lanes[lane] as Lane).behind > 0;
  }

  wants(lane: number): boolean {
    if (this.holding > 0 && this.holds(lane)) return true;
    const state = this.#lanes[lane] as Lane;
    return --state.unlooked < 0 && this.#isSlow(lane, state);
  }

  #isSlow(lane: number, state: Lane): boolean {
    const gone = this.#queue.gone(lane);
    const depth = this.#queue.claimed(lane) - gone;
    const perMs = state.rate.perMs(performance.now(), gone, depth);
    if (perMs === undefined) {
      state.unlooked = depth === 0 ? unlooked.most : unlooked.middle;
      return false;
    }
    const more = perMs * this.#settings.expectedWaitMs - depth;
    state.unlooked = Math.floor(Math.max(unlooked.least, Math.min(unlooked.most, more / 2)));
    return more < 0;
  }

  store(value: T, lane: number, aside: Uint8Array | undefined): Promise<void> {
    const entry = this.#codec.encode(value, aside);
    this.#goesOn();
    const durable = this.#appends.append(lane, entry);
    this.#behind(this.#lanes[lane] as Lane, 1);
    return durable;
  }

  async emptied(lane: number, signal: AbortSignal | undefined): Promise<void> {
    const { whenEmpty } = this.#lanes[lane] as Lane;
    await whenEmpty.until(() => this.#goesOn() && !this.holds(lane), signal);
  }

  /** Resolves when nothing is in the store, and nothing on its way there. */
  async allRemoved(signal: AbortSignal | undefined): Promise<void> {
    await this.opened;
    await this.#whenEmpty.until(() => this.#room.records === 0 || !this.#goesOn(), signal);
  }

  taking<Batch>(take: () => Batch): { readonly batch: Batch; readonly held: Held | undefined } {
    return this.#settling.taking(take);
  }

  earlier(reservation: bigint): number | undefined {
    return this.#settling.earlier(reservation);
  }

  join(gate: LayeredGate<T>): void {
    if (gate.keyed && this.#settings.keyOf === undefined) {
      throw optionError('spill: keyOf', "a function (the gate's limiter has keys)", undefined, true);
    }
    this.#gate = gate;
    this.#whenJoined.wake();
  }

  end(): void {
    void this.close();
  }

  /** Ends the layer: what is on its way to the store gets there, and what is consumed is removed. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  stats(): SpillStats {
    const behind = this.#lanes.reduce((sum, lane) => sum + lane.behind, 0);
    const bytes = this.#room.records * this.#codec.bytes;
    return { records: this.#room.records, bytes, behind, full: this.#room.refused, ...this.#counts };
  }

  async #open(): Promise<void> {
    const { store } = this.#settings;
    const format = {
      schema: this.#queue.record.schema,
      entryBytes: this.#codec.bytes,
      lanes: this.#queue.lanes,
    };
    try {
      this.#opened(await openChecked(store, format, (error) => this.#failed(error)));
    } catch (error) {
      this.#failure = error;
      this.#appends.giveUp(error);
      this.#wakeAll();
      throw error;
    }
  }

  #opened(store: OpenStore): void {
    const { lanes, lost, damage } = store.content;
    this.#store = store;
    this.#counts.lost = lost;
    if (damage !== undefined) damages.publish({ store: this.#settings.store.name, damage, lost });
    this.#room.records += lanes.reduce((sum, count) => sum + count, 0);
    for (const [i, count] of lanes.entries()) {
      const lane = this.#lanes[i] as Lane;
      lane.behind += count;
      lane.readable += count;
      if (lane.behind === 0) this.#emptied(lane);
      this.#pump(i);
    }
    this.#settling.begin(store);
    this.#appends.begin(store);
  }

  async #close(): Promise<void> {
    this.#settling.look(); // now, while the queue still says what has left it
    this.#ending.abort();
    await this.opened.catch(() => {});
    await this.#appends.idle();
    await Promise.all(this.#pumps);
    await this.#settling.end();
    await this.#store?.close().catch((error: unknown) => this.#failed(error));
    this.#wakeAll();
  }

  /** Makes all callers that wait until a lane, or the store, is empty look again. */
  #wakeAll(): void {
    this.#whenEmpty.wake();
    for (const { whenEmpty } of this.#lanes) whenEmpty.wake();
  }

  #appended(lane: number, durable: boolean): void {
    if (durable) {
      this.#counts.appended++;
      (this.#lanes[lane] as Lane).readable++;
      this.#pump(lane);
    } else {
      this.#behind(this.#lanes[lane] as Lane, -1);
      if (this.#room.records === 0) this.#whenEmpty.wake();
    }
  }

  /** Adds `by` to the records of a lane that are not in the ring. */
  #behind(lane: Lane, by: number): void {
    const before = lane.behind;
    lane.behind += by;
    if (this.#store === undefined) return; // `holding` counts all lanes
    if (before === 0) this.holding++;
    else if (lane.behind === 0) this.#emptied(lane);
  }

  #emptied(lane: Lane): void {
    this.holding--;
    lane.whenEmpty.wake();
  }

  #pump(lane: number): void {
    const state = this.#lanes[lane] as Lane;
    if (state.isPumping || state.readable === 0 || this.#isRingClosed || this.#ending.signal.aborted) return;
    state.isPumping = true;
    const pumping = this.#pumpAll(lane, state).finally(() => {
      this.#pumps.delete(pumping);
      state.isPumping = false;
      this.#pump(lane); // what became durable just now
    });
    this.#pumps.add(pumping);
  }

  /** Moves the lane's durable records to the ring, in their order, as room appears. */
  async #pumpAll(lane: number, state: Lane): Promise<void> {
    await Promise.resolve(); // the entries that have become durable together are taken together
    while (state.readable > 0 && !this.#ending.signal.aborted) {
      try {
        if (state.inHand.length === 0) await this.#take(lane, state);
        while (state.inHand.length > 0)
          await this.#pushSome(lane, state, state.inHand.slice(0, pushedAtOnce));
      } catch (error) {
        if (this.#ending.signal.aborted) return;
        if (error instanceof SluiceError && error.code === 'ERR_SLUICE_CLOSED') {
          this.#ringClosed();
          return;
        }
        this.#failed(error);
        await sleep(retryMs, undefined, this.#untilEnd).catch(() => {}); // aborted: the layer ends
      }
    }
  }

  #ringClosed(): void {
    this.#isRingClosed = true;
    this.#wakeAll();
  }

  async #take(lane: number, state: Lane): Promise<void> {
    const max = Math.min(takenAtOnce, state.readable);
    state.inHand = await (this.#store as OpenStore).take(lane, state.taken, max);
    const missing = max - state.inHand.length;
    if (missing === 0) return;
    this.#counts.lost += missing;
    state.readable -= missing;
    this.#removed(missing);
    this.#behind(state, -missing);
  }

  /** Pushes some of these entries to the ring: one order of a gate, or the first records that came through none. */
  async #pushSome(lane: number, state: Lane, entries: readonly StoredEntry[]): Promise<void> {
    const { id, deliveries, bytes } = entries[0] as StoredEntry;
    const entry = bytes && this.#codec.decode(bytes);
    let pushed = 1;
    if (entry === undefined || bytes === undefined) this.#damaged(lane, id);
    else if (!this.#isWanted(bytes, deliveries)) this.#settling.remove(lane, [id]);
    else if (entry.order === undefined) pushed = await this.#pushRecords(lane, entry.record, entries);
    else await this.#pushOrder(lane, entries[0] as StoredEntry, entry);
    const { id: last } = entries[pushed - 1] as StoredEntry;
    state.inHand.splice(0, pushed);
    state.taken = last;
    state.readable -= pushed;
    this.#behind(state, -pushed);
  }

  /** Pushes the first entries, as long as they are records without a gate. Returns how many. */
  async #pushRecords(lane: number, first: T, entries: readonly StoredEntry[]): Promise<number> {
    const records = [first];
    const most = Math.min(entries.length, Math.max(1, this.#queue.capacity >> 1));
    while (records.length < most) {
      const { deliveries, bytes } = entries[records.length] as StoredEntry;
      if (bytes === undefined || deliveries > 1) break;
      const entry = this.#codec.decode(bytes);
      if (entry === undefined || entry.order !== undefined) break;
      records.push(entry.record);
    }
    const after = this.#queue.claimed(lane);
    const permit = await this.#queue.reserve(records.length, lane, this.#ending.signal);
    for (const record of records) permit.send(record);
    const positions = { after, last: this.#queue.claimed(lane) };
    this.#settling.handed(lane, entries.slice(0, records.length), positions, undefined);
    return records.length;
  }

  async #pushOrder(lane: number, stored: StoredEntry, { record, order }: Entry<T>): Promise<void> {
    await this.#whenJoined.until(() => this.#gate !== undefined, this.#ending.signal);
    const gate = this.#gate as LayeredGate<T>;
    const { aside, isOfThisProcess } = order as NonNullable<Entry<T>['order']>;
    let reservation = reservationIn(aside);
    let after: number;
    for (;;) {
      this.#ending.signal.throwIfAborted();
      after = this.#queue.claimed(lane);
      if (isOfThisProcess) {
        if (gate.push(record, aside)) break;
        await this.#roomAppears(lane);
        continue;
      }
      const readmitted = readmit(gate, record, this.#settings.keyOf);
      if (readmitted.is === 'postponed') {
        await sleep(Math.max(1, Math.min(readmitted.retryAfterMs, retryMs)), undefined, this.#untilEnd);
        continue;
      }
      if (readmitted.is === 'queued') {
        reservation = readmitted.reservation === 0n ? undefined : readmitted.reservation;
        break;
      }
      if (readmitted.is === 'refused' || readmitted.is === 'bad') {
        this.#counts.refusedOrders++;
        const { is, ...why } = readmitted;
        refusals.publish({ store: this.#settings.store.name, order: record, ...why });
        if (is === 'bad') return; // it stays in the store, for the next process
      }
      this.#settling.remove(lane, [stored.id]);
      return;
    }
    this.#settling.handed(lane, [stored], { after, last: this.#queue.claimed(lane) }, reservation);
  }

  async #roomAppears(lane: number): Promise<void> {
    const permit = await this.#queue.reserve(1, lane, this.#ending.signal);
    permit[Symbol.dispose]();
  }

  /** Whether the program still wants an entry. It is shown a record of its own, which it may change. */
  #isWanted(bytes: Uint8Array, deliveries: number): boolean {
    if (deliveries === 1) return true;
    this.#counts.redelivered++;
    const { record } = this.#codec.decode(bytes) as Entry<T>;
    return this.#settings.onRedelivered?.(record, deliveries) !== false;
  }

  #damaged(lane: number, id: number): void {
    this.#counts.damaged++;
    damages.publish({ store: this.#settings.store.name, lane, id });
    this.#settling.remove(lane, [id]);
  }

  #removed(count: number): void {
    this.#room.records -= count;
    if (this.#room.records === 0) this.#whenEmpty.wake();
  }

  #failed(error: unknown): void {
    this.#counts.failures++;
    if (failures.hasSubscribers) failures.publish({ store: this.#settings.store.name, error });
  }

  /** Returns true, unless the layer could not be opened, or has ended: then it throws. */
  #goesOn(): boolean {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#closed !== undefined || this.#isRingClosed) throw ended();
    return true;
  }
}

function ended(): SluiceError {
  return new SluiceError('ERR_SLUICE_CLOSED', 'Queue: its overflow has ended, takes no more records');
}
