// The model of a queue, without rings, stamps, laps, locks and threads: plain arrays, one for each lane.

export interface Config {
  readonly capacity: number;
  readonly lanes: number;
  readonly maxWaiting: number;
  readonly ttlMs: number | undefined;
  readonly overflow: 'reject' | 'drop-oldest' | 'caller' | 'overwrite';
  readonly latency: boolean;
  /** The weights of lanes 0, 1 and 2; undefined means the default ones. */
  readonly weights: readonly [number, number, number] | undefined;
  readonly shed: { readonly targetMs: number; readonly intervalMs: number } | undefined;
  readonly start: bigint;
}

interface Item {
  readonly number: number;
  readonly enqueued: number;
  readonly deadline: number;
}

/** A record that a native call shows: its lane, and the lanes that had a record to show when it was chosen. */
interface Shown {
  readonly lane: Lane;
  readonly ready: readonly Lane[];
}

/** A waiter for room: with a record, or for permits. */
export interface ModelWaiter {
  readonly id: number;
  readonly object: number;
  readonly item: Item | undefined;
  readonly permits: number;
}

interface Lane {
  readonly items: Item[];
  readonly waiters: ModelWaiter[];
  /** The permits of each object. */
  readonly permits: [number, number];
  earned: number;
}

/**
 * The most records that native code shows in one call, and the most that it drops. It drops fewer if it keeps the
 * dropped records (for listeners) or their tags (with 'overwrite').
 */
const shownMax = 64;
const droppedMax = { kept: 64, forgotten: 1_024 };

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);

export class Model {
  readonly lanes: Lane[];
  readonly #weights: readonly number[];
  now = 0;
  closed = false;
  /** The object that consumes. */
  consumer: number | undefined;
  pushed = 0;
  popped = 0;
  rejected = 0;
  waitersRefused = 0;
  highWater = 0;
  /** For each object: whether it has listeners for the records that it drops. */
  readonly listens: [boolean, boolean] = [true, true];
  readonly counts = { expired: 0, dropped: 0, shed: 0 };
  /** The events that listeners must have got, and the records that must have been passed to `onOverflow`. */
  readonly expired: number[] = [];
  readonly dropped: number[] = [];
  readonly spilled: number[] = [];
  /** Waiters that were answered since the last comparison, and their answers. */
  readonly answered = new Map<number, 'served' | 'ERR_SLUICE_CLOSED' | 'ERR_SLUICE_DISPOSED' | 'aborted'>();

  constructor(readonly config: Config) {
    this.lanes = Array.from({ length: config.lanes }, () => ({
      items: [],
      waiters: [],
      permits: [0, 0],
      earned: 0,
    }));
    this.#weights = this.lanes.map(
      (_, lane) => config.weights?.[lane] ?? (lane === 0 ? 21 - config.lanes : 1),
    );
  }

  lane(index: number): Lane {
    return this.lanes[index] as Lane;
  }
  get depth(): number {
    return sum(this.lanes.map(({ items }) => items.length));
  }
  get permits(): number {
    return sum(this.lanes.flatMap(({ permits }) => permits));
  }
  get waiting(): number {
    return sum(this.lanes.map(({ waiters }) => waiters.length));
  }
  get drained(): boolean {
    return this.closed && this.depth === 0 && this.permits === 0;
  }

  item(number: number, ttlMs: number | undefined): Item {
    const deadline = this.now + (ttlMs ?? this.config.ttlMs ?? Number.POSITIVE_INFINITY);
    return { number, enqueued: this.now, deadline };
  }
  room(lane: Lane): number {
    if (this.#overwrites) return Number.POSITIVE_INFINITY;
    return (
      this.config.capacity * (this.config.overflow === 'drop-oldest' ? 2 : 1) -
      lane.items.length -
      sum(lane.permits)
    );
  }
  /** Returns the room for a push that does not wait. */
  open(lane: Lane): number {
    return lane.waiters.length > 0 ? 0 : this.room(lane);
  }

  get #overwrites(): boolean {
    return this.config.overflow === 'overwrite';
  }
  add(lane: Lane, item: Item): void {
    if (this.#overwrites && lane.items.length === this.config.capacity) {
      lane.items.shift();
      this.counts.dropped++;
    }
    lane.items.push(item);
    this.pushed++;
    this.highWater = Math.max(this.highWater, this.depth);
  }
  push(lane: Lane, list: readonly Item[]): number {
    const taken = Math.min(this.open(lane), list.length);
    for (const item of list.slice(0, taken)) this.add(lane, item);
    this.rejected += list.length - taken;
    return taken;
  }
  spill(numbers: readonly number[]): void {
    if (this.config.overflow === 'caller') this.spilled.push(...numbers);
  }

  /** Adds the waiter. Returns false if there are `maxWaiting` waiters already. */
  wait(lane: Lane, waiter: ModelWaiter): boolean {
    if (this.waiting >= this.config.maxWaiting) {
      this.waitersRefused++;
      return false;
    }
    lane.waiters.push(waiter);
    return true;
  }
  serve(lane: Lane): void {
    for (let first = lane.waiters[0]; first !== undefined; first = lane.waiters[0]) {
      if (this.room(lane) < (first.permits || 1)) return;
      lane.waiters.shift();
      if (first.item !== undefined) this.add(lane, first.item);
      lane.permits[first.object] = (lane.permits[first.object] ?? 0) + first.permits;
      this.answered.set(first.id, 'served');
    }
  }
  leave(id: number): void {
    for (const lane of this.lanes) {
      const at = lane.waiters.findIndex((waiter) => waiter.id === id);
      if (at < 0) continue;
      lane.waiters.splice(at, 1);
      this.answered.set(id, 'aborted');
      this.serve(lane);
    }
  }
  givePermits(lane: Lane, object: number, count: number): void {
    lane.permits[object] = (lane.permits[object] ?? 0) - count;
    this.serve(lane);
  }
  close(): boolean {
    if (this.closed) return false;
    this.closed = true;
    for (const lane of this.lanes) {
      for (const { id } of lane.waiters.splice(0)) this.answered.set(id, 'ERR_SLUICE_CLOSED');
    }
    return true;
  }
  dispose(object: number): void {
    for (const lane of this.lanes) {
      for (let at = lane.waiters.length - 1; at >= 0; at--) {
        const waiter = lane.waiters[at] as ModelWaiter;
        if (waiter.object !== object) continue;
        lane.waiters.splice(at, 1);
        this.answered.set(waiter.id, 'ERR_SLUICE_DISPOSED');
      }
    }
    for (const lane of this.lanes) {
      lane.permits[object] = 0;
      this.serve(lane);
    }
    if (this.consumer === object) this.consumer = undefined;
    this.listens[object] = true; // the next object in its place has listeners again
  }

  // ---- consuming, by the rules of native/core/queue/queue_consumer.h ----------------------------------

  get #drops(): boolean {
    const { ttlMs, overflow, shed } = this.config;
    return ttlMs !== undefined || overflow === 'drop-oldest' || shed !== undefined;
  }
  get #hears(): boolean {
    return this.consumer !== undefined && this.listens[this.consumer] === true;
  }

  /** Makes one native call: drops the records that must not be consumed, and returns the records shown, in order. */
  #show(max: number): { shown: Shown[]; dropped: number } {
    if (this.depth === 0) {
      this.#shedding.shortest = 0;
      return { shown: [], dropped: 0 };
    }
    const shown: Shown[] = [];
    const index = new Map(this.lanes.map((lane) => [lane, 0]));
    const open = new Set(this.lanes);
    const earned = new Map(this.lanes.map((lane) => [lane, lane.earned]));
    const most = this.#hears || this.#overwrites ? droppedMax.kept : droppedMax.forgotten;
    let dropped = 0;
    while (shown.length < Math.min(max, shownMax)) {
      const ready = [...open].filter((lane) => (index.get(lane) ?? 0) < lane.items.length);
      if (ready.length === 0) break;
      const due = ready.find((lane) => this.#mustDrop(lane, index.get(lane) ?? 0));
      if (due !== undefined) {
        if (index.get(due) !== 0 || dropped >= most) open.delete(due);
        else {
          this.#drop(due);
          dropped++;
        }
        continue;
      }
      const lane = this.#next(ready, earned);
      index.set(lane, (index.get(lane) ?? 0) + 1);
      shown.push({ lane, ready });
    }
    if (dropped > 0) for (const lane of this.lanes) this.serve(lane);
    return { shown, dropped };
  }
  #drop(lane: Lane): void {
    const { number, deadline } = lane.items[0] as Item;
    const isOldest = this.config.overflow === 'drop-oldest' && lane.items.length > this.config.capacity;
    lane.items.shift();
    if (this.now >= deadline) {
      this.counts.expired++;
      if (this.#hears) this.expired.push(number);
      return;
    }
    this.counts.dropped++;
    if (!isOldest) this.counts.shed++;
    if (this.#hears) this.dropped.push(number);
  }
  #mustDrop(lane: Lane, index: number): boolean {
    const { deadline, enqueued } = lane.items[index] as Item;
    if (this.now >= deadline) return true;
    const beyond = lane.items.length - index > this.config.capacity;
    if (this.config.overflow === 'drop-oldest' && beyond) return true;
    return this.config.shed !== undefined && this.#sheds(this.config.shed, this.now - enqueued);
  }
  /** Decides by CoDel, as native/core/queue/shedding.h does, whether a record is shed. */
  #sheds({ targetMs, intervalMs }: { targetMs: number; intervalMs: number }, waited: number): boolean {
    const shedding = this.#shedding;
    if (this.now >= shedding.intervalEnd) {
      shedding.stands = shedding.intervalEnd !== 0 && shedding.shortest > targetMs;
      shedding.shortest = waited;
      shedding.intervalEnd = this.now + intervalMs;
    } else {
      shedding.shortest = Math.min(shedding.shortest, waited);
    }
    return shedding.stands && waited > 2 * targetMs;
  }
  readonly #shedding = { intervalEnd: 0, shortest: 0, stands: false };

  #next(ready: readonly Lane[], earned: Map<Lane, number>): Lane {
    const [urgent, ...others] = ready as [Lane, ...Lane[]];
    const total = sum(this.#weights);
    const has = (lane: Lane) => earned.get(lane) ?? 0;
    let chosen = urgent;
    for (const lane of others) {
      earned.set(lane, has(lane) + (this.#weights[this.lanes.indexOf(lane)] ?? 0));
      if (chosen === urgent && has(lane) >= total) chosen = lane;
    }
    if (chosen !== urgent) earned.set(chosen, has(chosen) - total);
    return chosen;
  }
  /** Consumes the records shown, counts their lanes as served, and returns their numbers. */
  #free(shown: readonly Shown[]): number[] {
    const earned = new Map(this.lanes.map((lane) => [lane, lane.earned]));
    for (const { ready } of shown) this.#next(ready, earned);
    for (const lane of this.lanes) lane.earned = earned.get(lane) ?? 0;
    const numbers = shown.map(({ lane }) => (lane.items.shift() as Item).number);
    this.popped += numbers.length;
    if (numbers.length > 0) for (const lane of this.lanes) this.serve(lane);
    return numbers;
  }
  /**
   * Calls #show() until it shows a record or drops none, or until the calls have dropped twice as many as fit in all
   * lanes.
   */
  #showing(max: number): Shown[] {
    if (!this.#drops) return this.#show(max).shown;
    for (let left = 2 * this.config.capacity * this.config.lanes; left > 0; ) {
      const { shown, dropped } = this.#show(max);
      if (shown.length > 0 || dropped === 0) return shown;
      left -= dropped;
    }
    return [];
  }

  pop(max: number): number[] {
    if (max <= shownMax && !this.#drops) return this.#free(this.#show(max).shown);
    const numbers: number[] = [];
    while (numbers.length < max) {
      const taken = this.#free(this.#showing(Math.min(shownMax, max - numbers.length)));
      if (taken.length === 0) break;
      numbers.push(...taken);
    }
    return numbers;
  }
  /** Calls `visit`, which may let time pass, for each record. Returns the numbers of the records. */
  drain(max: number, visit: () => void = () => {}): number[] {
    const numbers: number[] = [];
    while (numbers.length < max) {
      const shown = this.#showing(this.#overwrites ? 1 : Math.min(shownMax, max - numbers.length));
      // With a time to live, time may have passed in the visit, so the next records are checked again.
      const visited = this.config.ttlMs === undefined ? shown : shown.slice(0, 1);
      if (visited.length === 0) break;
      for (const _ of visited) visit();
      numbers.push(...this.#free(visited));
    }
    return numbers;
  }
  /** Returns what a consuming loop hands out, batch by batch, until it sleeps. */
  consume(batchSize: number, batchesMax = Number.POSITIVE_INFINITY): number[] {
    const numbers: number[] = [];
    for (let batches = 0; batches < batchesMax; ) {
      const batch = this.#free(this.#show(batchSize).shown);
      if (batch.length === 0 && this.depth === 0) break;
      if (batch.length > 0) batches++;
      numbers.push(...batch);
    }
    return numbers;
  }
}
