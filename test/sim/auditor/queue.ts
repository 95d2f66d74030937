// The model of a queue. Times are in nanoseconds.

export interface QueueShape {
  readonly capacity: number;
  readonly lanes: number;
  readonly weights: readonly number[];
  readonly dropOldest: boolean;
  /** A pushed record always fits: if its lane is full, the lane's oldest record goes, and no event reports that. */
  readonly overwrites?: boolean;
  readonly maxWaiting: number;
}
export interface Entry<T> {
  readonly value: T;
  /** Infinity means that it never expires. */
  readonly deadline: number;
}
interface Waiter<T> {
  readonly name: number;
  readonly owner: number;
  /** The record that it wants to push; if absent, it wants `permits`. */
  readonly entry?: Entry<T>;
  readonly permits: number;
}
interface Lane<T> {
  entries: Array<Entry<T>>;
  waiters: Array<Waiter<T>>;
  /**
   * Grows by this lane's weight whenever a record is chosen while this lane and a more urgent one have records. If it
   * reaches the sum of all weights, this lane is chosen, and the sum is subtracted.
   */
  earned: number;
}
export interface Dropped<T> {
  readonly value: T;
  readonly reason: 'expired' | 'oldest';
}

/** The most records that one look shows or reports. */
const shownMax = 64;

export class QueueAuditor<T> {
  readonly lanes: Array<Lane<T>>;
  /** Room reserved ahead, by the step that reserved it. */
  readonly permits = new Map<number, { lane: number; owner: number; left: number }>();
  readonly counters = { pushed: 0, popped: 0, rejected: 0, expired: 0, dropped: 0, waitersRefused: 0 };
  highWater = 0;
  closed = false;
  /** The object that consumes. */
  lease: number | undefined;
  /** The object of each wait for an empty queue, by the name of the wait. */
  readonly emptiers = new Map<number, number>();
  /** The results of the waits that have ended since this map was last read, by the name of the wait. */
  readonly ended = new Map<number, unknown>();
  /** The records that consuming has dropped since this was last read, in order. */
  drops: Array<Dropped<T>> = [];
  /** The records that pushes have overwritten since this was last read. */
  overwritten: T[] = [];

  constructor(readonly shape: QueueShape) {
    this.lanes = shape.weights.map(() => ({ entries: [], waiters: [], earned: 0 }));
  }

  get depth(): number {
    return this.lanes.reduce((sum, { entries }) => sum + entries.length, 0);
  }
  get waiting(): number {
    return this.lanes.reduce((sum, { waiters }) => sum + waiters.length, 0);
  }
  get permitsLeft(): number {
    return [...this.permits.values()].reduce((sum, { left }) => sum + left, 0);
  }

  // ---- producing ---------------------------------------------------------------------------------------------

  /** Returns how many records of `list` were accepted; -1 if the queue is closed and the list is not empty. */
  push(lane: number, list: ReadonlyArray<Entry<T>>, countsRefusals = true): number {
    if (this.closed && list.length > 0) return -1;
    const taken = Math.min(list.length, this.#roomFor(lane));
    for (const entry of list.slice(0, taken)) this.#put(lane, entry);
    if (countsRefusals) this.counters.rejected += list.length - taken;
    return taken;
  }
  /** Whether a push would be refused because there is no room. */
  isFull(lane: number): boolean {
    return this.#roomFor(lane) === 0;
  }
  /** A `push` that waits: `ended` gets its result. */
  pushWaiting(name: number, owner: number, lane: number, entry: Entry<T>): void {
    const taken = this.push(lane, [entry], false);
    if (taken === -1) this.ended.set(name, { error: 'ERR_SLUICE_CLOSED' });
    else if (taken === 1) this.ended.set(name, 'pushed');
    else this.#join(lane, { name, owner, entry, permits: 0 });
  }

  /** Reserves room under `name`: all of it, or nothing. */
  reserve(name: number, owner: number, lane: number, count: number): 'reserved' | 'full' | 'closed' {
    if (this.closed) return 'closed';
    if (this.#roomFor(lane) < count) return 'full';
    this.permits.set(name, { lane, owner, left: count });
    return 'reserved';
  }
  reserveWaiting(name: number, owner: number, lane: number, count: number): void {
    const reserved = this.reserve(name, owner, lane, count);
    if (reserved === 'closed') this.ended.set(name, { error: 'ERR_SLUICE_CLOSED' });
    else if (reserved === 'reserved') this.ended.set(name, 'reserved');
    else this.#join(lane, { name, owner, permits: count });
  }
  /** Uses one permit, even if the queue is closed. Returns false if none is left. */
  send(name: number, entry: Entry<T>): boolean {
    const permit = this.permits.get(name);
    if (permit === undefined || permit.left === 0) return false;
    permit.left--;
    this.#put(permit.lane, entry);
    return true;
  }
  giveBack(name: number): void {
    const permit = this.permits.get(name);
    if (permit !== undefined) permit.left = 0;
  }

  leave(name: number): boolean {
    if (this.emptiers.delete(name)) return true;
    for (const lane of this.lanes) {
      const waiters = lane.waiters.filter((waiter) => waiter.name !== name);
      if (waiters.length === lane.waiters.length) continue;
      lane.waiters = waiters;
      return true;
    }
    return false;
  }

  /** Serves waiters, first come, first served, as far as there is room. */
  serve(): void {
    for (const [at, lane] of this.lanes.entries()) {
      for (let first = lane.waiters[0]; first !== undefined; first = lane.waiters[0]) {
        if (this.#room(at) < Math.max(1, first.permits)) break;
        lane.waiters.shift();
        if (first.entry === undefined) {
          this.permits.set(first.name, { lane: at, owner: first.owner, left: first.permits });
          this.ended.set(first.name, 'reserved');
        } else {
          this.#put(at, first.entry);
          this.ended.set(first.name, 'pushed');
        }
      }
    }
  }

  // ---- consuming ---------------------------------------------------------------------------------------------

  /**
   * Pops up to `max` records, by one look if `once`, otherwise by as many looks as it takes. A look takes at most
   * `most` records. If the next record of a lane must be dropped after the look has shown another record of that lane,
   * the look passes over the lane, and the next look drops the record. The next look also sees what waiters have pushed
   * into the room that this look made.
   */
  pop(max: number, now: number, { once = false, most = shownMax } = {}): T[] {
    const taken: T[] = [];
    let left = this.#places;
    while (taken.length < max && left > 0) {
      const dropped = this.drops.length;
      const look = this.look(Math.min(most, max - taken.length), now);
      taken.push(...look);
      // Waiters get the room that a look has freed before the next look.
      this.serve();
      if (once) break;
      if (look.length === 0 && this.drops.length === dropped) break;
      // The call gives up when as many records were dropped in a row as the queue can hold, even if more come in.
      left = look.length > 0 ? this.#places : left - (this.drops.length - dropped);
    }
    return taken;
  }

  /** One look. The records that it shows have left the queue afterwards. */
  look(max: number, now: number): T[] {
    const shown: T[] = [];
    const from = this.lanes.map(() => 0);
    const passedOver = new Set<number>();
    const dropsMax = this.drops.length + shownMax;
    while (shown.length < max) {
      this.#dropHeads(from, passedOver, dropsMax, now);
      const ready = [...this.lanes.keys()].filter(
        (at) => !passedOver.has(at) && (from[at] as number) < this.#lane(at).entries.length,
      );
      if (ready.length === 0) break;
      const at = this.#choose(ready);
      shown.push(this.#lane(at).entries[from[at] as number]?.value as T);
      (from[at] as number)++;
    }
    // Dropped records leave the queue before those that are shown: a waiter pushes into their room.
    if (this.drops.length + shownMax > dropsMax) {
      this.#tellEmpty();
      this.serve();
    }
    for (const [at, count] of from.entries()) this.#lane(at).entries.splice(0, count);
    this.#tellEmpty();
    this.counters.popped += shown.length;
    return shown;
  }

  #dropHeads(from: readonly number[], passedOver: Set<number>, dropsMax: number, now: number): void {
    for (const [at, { entries }] of this.lanes.entries()) {
      for (;;) {
        const entry = entries[from[at] as number];
        if (entry === undefined || passedOver.has(at)) break;
        const expired = now >= entry.deadline;
        const beyond = this.shape.dropOldest && entries.length - (from[at] as number) > this.shape.capacity;
        if (!expired && !beyond) break;
        if (from[at] !== 0 || this.drops.length === dropsMax) {
          passedOver.add(at);
          break;
        }
        entries.shift();
        this.counters[expired ? 'expired' : 'dropped']++;
        this.drops.push({ value: entry.value, reason: expired ? 'expired' : 'oldest' });
      }
    }
  }

  /** Returns the most urgent lane, unless another one has earned its turn. */
  #choose(ready: readonly number[]): number {
    const { weights } = this.shape;
    const sum = weights.reduce((total, weight) => total + weight, 0);
    const [urgent = 0, ...others] = ready;
    for (const at of others) this.#lane(at).earned += weights[at] as number;
    const due = others.find((at) => this.#lane(at).earned >= sum);
    if (due !== undefined) this.#lane(due).earned -= sum;
    return due ?? urgent;
  }

  /** Waits for a moment at which the queue is empty. */
  awaitEmpty(name: number, owner: number): void {
    this.emptiers.set(name, owner);
    this.#tellEmpty();
  }
  #tellEmpty(): void {
    if (this.depth > 0) return;
    for (const name of this.emptiers.keys()) this.ended.set(name, 'empty');
    this.emptiers.clear();
  }

  // ---- the end -----------------------------------------------------------------------------------------------

  close(): boolean {
    if (this.closed) return false;
    this.closed = true;
    for (const { name } of this.lanes.flatMap(({ waiters }) => waiters.splice(0))) {
      this.ended.set(name, { error: 'ERR_SLUICE_CLOSED' });
    }
    return true;
  }
  /** Disposes of an object: its permits return, its waits end, and it is no longer the consumer. */
  die(owner: number): void {
    for (const permit of this.permits.values()) if (permit.owner === owner) permit.left = 0;
    const left = this.lanes.flatMap(({ waiters }) => waiters.filter((waiter) => waiter.owner === owner));
    for (const { name } of left) {
      this.leave(name);
      this.ended.set(name, { error: 'ERR_SLUICE_DISPOSED' });
    }
    for (const [name, of] of this.emptiers) {
      if (of !== owner) continue;
      this.emptiers.delete(name);
      this.ended.set(name, { error: 'ERR_SLUICE_DISPOSED' });
    }
    if (this.lease === owner) this.lease = undefined;
  }

  #lane(at: number): Lane<T> {
    return this.lanes[at] as Lane<T>;
  }
  get #places(): number {
    return 2 * this.lanes.length * this.shape.capacity;
  }
  #put(at: number, entry: Entry<T>): void {
    const { entries } = this.#lane(at);
    if (this.shape.overwrites && entries.length === this.shape.capacity) {
      const oldest = entries.shift();
      if (oldest !== undefined) this.overwritten.push(oldest.value);
      this.counters.dropped++;
    }
    entries.push(entry);
    this.counters.pushed++;
    this.highWater = Math.max(this.highWater, this.depth);
  }
  #room(at: number): number {
    if (this.shape.overwrites) return Number.POSITIVE_INFINITY;
    const most = this.shape.capacity * (this.shape.dropOldest ? 2 : 1);
    const promised = [...this.permits.values()].reduce(
      (sum, { lane, left }) => (lane === at ? sum + left : sum),
      0,
    );
    return Math.max(0, most - this.#lane(at).entries.length - promised);
  }
  /** Room for a caller that does not wait: none while others wait. */
  #roomFor(at: number): number {
    return this.#lane(at).waiters.length > 0 ? 0 : this.#room(at);
  }
  #join(at: number, waiter: Waiter<T>): void {
    if (this.waiting < this.shape.maxWaiting) {
      this.#lane(at).waiters.push(waiter);
      return;
    }
    this.counters.waitersRefused++;
    this.ended.set(waiter.name, { error: 'ERR_SLUICE_WAITERS' });
  }
}
