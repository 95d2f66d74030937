// What a queue is, without rings, stamps, laps, locks and threads: plain arrays, one for each lane.

export interface Config {
  readonly capacity: number;
  readonly lanes: number;
  readonly maxWaiting: number;
  readonly ttlMs: number | undefined;
  readonly overflow: 'reject' | 'drop-oldest' | 'caller';
  readonly latency: boolean;
  readonly start: bigint;
}

interface Item {
  readonly number: number;
  readonly deadline: number;
}

/** Somebody in line for room: with a record, or for permits. */
export interface ModelWaiter {
  readonly id: number;
  readonly object: number;
  readonly item: Item | undefined;
  readonly permits: number;
}

interface Lane {
  readonly items: Item[];
  readonly waiters: ModelWaiter[];
  /** Permits by object. */
  readonly permits: [number, number];
  earned: number;
}

/** Records that native code shows, and drops while somebody listens, in one call. */
const shownMax = 64;
const droppedMax = 64;

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
  /** What listeners must have been told, and what must have been spilled. */
  readonly expired: number[] = [];
  readonly dropped: number[] = [];
  readonly spilled: number[] = [];
  /** Waiters that have been answered since they were last asked for, and how. */
  readonly answered = new Map<number, 'served' | 'ERR_SLUICE_CLOSED' | 'ERR_SLUICE_DISPOSED' | 'aborted'>();

  constructor(readonly config: Config) {
    this.lanes = Array.from({ length: config.lanes }, () => ({
      items: [],
      waiters: [],
      permits: [0, 0],
      earned: 0,
    }));
    this.#weights = this.lanes.map((_, lane) => (lane === 0 ? 21 - config.lanes : 1));
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
    return { number, deadline: this.now + (ttlMs ?? this.config.ttlMs ?? Number.POSITIVE_INFINITY) };
  }
  room(lane: Lane): number {
    const places = this.config.capacity * (this.config.overflow === 'drop-oldest' ? 2 : 1);
    return places - lane.items.length - sum(lane.permits);
  }
  /** Room for those who do not wait in line. */
  open(lane: Lane): number {
    return lane.waiters.length > 0 ? 0 : this.room(lane);
  }

  add(lane: Lane, item: Item): void {
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

  /** Whether the waiter could join the line. */
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
  }

  // ---- consuming: as native/core/queue_consumer.h says it ---------------------------------------------------------

  get #drops(): boolean {
    return this.config.ttlMs !== undefined || this.config.overflow === 'drop-oldest';
  }

  /** One native call: how many of each lane are shown, in which order; drops first what is not to be consumed. */
  #show(max: number): { shown: Lane[]; dropped: number } {
    const shown: Lane[] = [];
    const index = new Map(this.lanes.map((lane) => [lane, 0]));
    const open = new Set(this.lanes);
    let dropped = 0;
    while (shown.length < Math.min(max, shownMax)) {
      const ready = [...open].filter((lane) => (index.get(lane) ?? 0) < lane.items.length);
      if (ready.length === 0) break;
      const due = ready.find((lane) => this.#mustDrop(lane, index.get(lane) ?? 0));
      if (due !== undefined) {
        if (index.get(due) !== 0 || dropped >= droppedMax) open.delete(due);
        else {
          const { number, deadline } = due.items.shift() as Item;
          (this.now >= deadline ? this.expired : this.dropped).push(number);
          dropped++;
        }
        continue;
      }
      const lane = this.#next(ready);
      index.set(lane, (index.get(lane) ?? 0) + 1);
      shown.push(lane);
    }
    if (dropped > 0) for (const lane of this.lanes) this.serve(lane);
    return { shown, dropped };
  }
  #mustDrop(lane: Lane, index: number): boolean {
    const { deadline } = lane.items[index] as Item;
    if (this.now >= deadline) return true;
    return this.config.overflow === 'drop-oldest' && lane.items.length - index > this.config.capacity;
  }
  #next(ready: readonly Lane[]): Lane {
    const [urgent, ...others] = ready as [Lane, ...Lane[]];
    const total = sum(this.#weights);
    let chosen = urgent;
    for (const lane of others) {
      lane.earned += this.#weights[this.lanes.indexOf(lane)] ?? 0;
      if (chosen === urgent && lane.earned >= total) chosen = lane;
    }
    if (chosen !== urgent) chosen.earned -= total;
    return chosen;
  }
  #free(shown: readonly Lane[]): number[] {
    const numbers = shown.map((lane) => (lane.items.shift() as Item).number);
    this.popped += numbers.length;
    if (numbers.length > 0) for (const lane of this.lanes) this.serve(lane);
    return numbers;
  }
  /** Shows until something is shown or nothing is left. */
  #showing(max: number): Lane[] {
    for (;;) {
      const { shown, dropped } = this.#show(max);
      if (shown.length > 0 || dropped === 0) return shown;
    }
  }

  pop(max: number): number[] {
    if (max <= shownMax && !this.#drops) return this.#free(this.#show(max).shown);
    const numbers: number[] = [];
    while (numbers.length < max) {
      const taken = this.#free(this.#showing(max - numbers.length));
      if (taken.length === 0) break;
      numbers.push(...taken);
    }
    return numbers;
  }
  drain(max: number): number[] {
    const numbers: number[] = [];
    for (;;) {
      const left = max - numbers.length;
      const taken = left === 0 ? [] : this.#free(this.#showing(left));
      if (taken.length === 0) return numbers;
      numbers.push(...taken);
    }
  }
  /** What a consuming loop hands out, batch by batch, until it sleeps. */
  consume(batchSize: number, batchesMax = Number.POSITIVE_INFINITY): number[] {
    const numbers: number[] = [];
    for (let batches = 0; batches < batchesMax; ) {
      const { shown, dropped } = this.#show(batchSize);
      const batch = this.#free(shown);
      if (batch.length === 0 && dropped === 0) break;
      if (batch.length > 0) batches++;
      numbers.push(...batch);
    }
    return numbers;
  }
}
