import { isDeepStrictEqual } from 'node:util';
import { type FoundReservation, Stock, type Movement as Told } from 'sluice';
import type { Answer, Group, Movement, NewItem, Sku } from '../auditor/cart.js';
import { Ledger, type LedgerShape } from '../auditor/ledger.js';
import { holds, outcome, same } from '../divergence.js';
import type { Driver, Operation, Random } from '../operation.js';
import { inTime } from '../waits.js';
import {
  grown,
  limitsOf,
  listedFrom,
  merged,
  optionsOf,
  reserve,
  resolved,
  sum,
  summedPart,
  withoutSku,
} from './stock-answers.js';
import { drawStock, type Growth, keyOf, type List, type StockOperation, textOf } from './stock-operations.js';
import type { Time } from './time.js';

export interface StockScenario extends LedgerShape {
  readonly items: readonly NewItem[];
  readonly groups: readonly Group[];
  readonly holdMs: number;
  readonly movements: number;
  readonly commit: boolean;
  /** How many objects the ledger has, as if in several threads. */
  readonly objects: number;
  readonly weights: Readonly<Record<string, number>>;
}

/** A ledger with several objects, beside its auditor. */
export class StockDriver implements Driver {
  auditor: Ledger;
  objects: Stock[];
  /** Called when another ledger takes this one's place, for drivers that build on it. */
  readonly onReplaced: Array<() => void> = [];
  readonly #names = new Map<bigint, number>();
  readonly #reservations = new Map<number, bigint>();
  readonly #snapshots: Array<{
    name: number;
    bytes: Uint8Array;
    auditor: Ledger;
    at: number;
    names: number[];
  }> = [];
  #told = this.#newReader();
  #lastAudit: unknown;

  constructor(
    readonly scenario: StockScenario,
    readonly time: Time,
  ) {
    const { items, groups, holdMs, movements, commit, maxItems, maxReservations, maxUsers, maxIds } =
      scenario;
    const shape = { maxItems, maxReservations, maxUsers, maxIds };
    this.auditor = new Ledger(shape, holdMs);
    const options = { ...shape, holdMs, movements, commit, clock: time.clock };
    const given = items.map((item) => ({ ...item }));
    this.objects = this.#attached(Stock.create({ ...options, items: given, groups }));
    for (const group of groups) this.auditor.addGroup(group);
    for (const item of items) this.auditor.addItem(item, time.now);
  }

  draw(random: Random, name: number): Operation | undefined {
    const known = {
      reservations: [...this.#reservations.keys()],
      held: this.auditor.heldLines(),
      bought: this.auditor.bought(),
      snapshots: this.#snapshots.map((s) => s.name),
    };
    return drawStock(random, name, this.scenario, known);
  }

  run(operation: Operation): void {
    const { auditor } = this;
    const now = this.time.now;
    const given = operation as StockOperation;
    const stock = this.object(given.by);
    switch (given.do) {
      case 'reserve': {
        const holdMs = given.holdMs ?? auditor.holdMs;
        const holdNs = Math.round(holdMs * 1e6);
        const who = { user: textOf(given.user), id: textOf(given.id) };
        const answer = auditor.reserve(given.name, now, given.lines, who, holdNs);
        const expected = given.cart ? answer : withoutSku(answer);
        const actual = outcome(() => reserve(stock, given.lines, optionsOf(given), given.cart));
        this.compareReserved('reserve', expected, actual, holdMs);
        return;
      }
      case 'confirm': {
        const { of, part, rest } = given;
        const expected = auditor.confirm(of, now, summedPart(part), rest === 'hold');
        const options = rest === undefined ? part : { ...part, rest };
        const actual = resolved(() => stock.confirm(this.#reservations.get(of) ?? 0n, options));
        same('confirm', actual, expected);
        return;
      }
      case 'cancel': {
        const { of, part } = given;
        const expected = auditor.cancel(of, now, summedPart(part));
        same(
          'cancel',
          resolved(() => stock.cancel(this.#reservations.get(of) ?? 0n, part)),
          expected,
        );
        return;
      }
      case 'changeHeld': {
        const { of, levels } = given;
        if (this.#parted() && auditor.mixes(of)) return;
        const expected = auditor.change(of, now, summedPart(levels));
        same(
          'change',
          resolved(() => stock.change(this.#reservations.get(of) ?? 0n, levels)),
          expected,
        );
        return;
      }
      case 'return': {
        const { of, part } = given;
        const expected = auditor.giveBack(of, now, summedPart(part));
        same(
          'return',
          resolved(() => stock.return(this.#reservations.get(of) ?? 0n, part)),
          expected,
        );
        return;
      }
      case 'find': {
        const found = stock.find({ reservation: this.#reservations.get(given.of) ?? 0n });
        same('find', found && this.#listed(found), auditor.found(given.of, now));
        return;
      }
      case 'findId': {
        const name = auditor.reservationOf(textOf(given.id) as string);
        const found = stock.find({ id: keyOf(given.id) });
        const expected = name === undefined ? undefined : auditor.found(name, now);
        same('find by id', found && this.#listed(found), expected);
        return;
      }
      case 'list': {
        // The auditor knows neither which places the parts of a sharded item take, nor their order.
        if (this.#parted()) return;
        this.#list(given, stock, now);
        return;
      }
      case 'returnOf': {
        const { line, user } = given;
        const units = user === undefined ? line : { ...line, user: keyOf(user) };
        const expected = auditor.giveBackOf(line, textOf(user), now);
        same(
          'return of a user',
          resolved(() => stock.return(units)),
          expected,
        );
        return;
      }
      case 'extend': {
        const reservation = this.#reservations.get(given.of) ?? 0n;
        const expected = auditor.extend(given.of, now, Math.round(given.ms * 1e6));
        same('extend', stock.extend(reservation, given.ms), expected);
        return;
      }
      case 'stranger':
        same('confirm of an id never given out', stock.confirm(BigInt(given.id)), 'unknown');
        return;
      case 'expire':
        same('expire', stock.expire(), auditor.expire(now));
        return;
      case 'restock': {
        const done = auditor.restock(given.sku, given.quantity, now);
        const expected = done ? auditor.counts(given.sku) : { error: 'ERR_SLUICE_OPTION' };
        same(
          'restock',
          outcome(() => stock.restock(given.sku, given.quantity)),
          expected,
        );
        return;
      }
      case 'withdraw': {
        const expected = auditor.withdraw(given.sku, given.quantity, now) ?? { error: 'ERR_SLUICE_OPTION' };
        same(
          'withdraw',
          outcome(() => stock.withdraw(given.sku, given.quantity)),
          expected,
        );
        return;
      }
      case 'add':
        same(
          'addItem',
          resolved(() => stock.addItem(given.item)),
          auditor.addItem(given.item, now),
        );
        return;
      case 'addGroup':
        same('addGroup', stock.addGroup(given.group), auditor.addGroup(given.group));
        return;
      case 'changeGroup': {
        const { name, perUser } = given.group;
        same('changeGroup', stock.changeGroup(name, { perUser }), auditor.changeGroup(name, perUser));
        return;
      }
      case 'close':
        same('closeItem', stock.closeItem(given.sku), auditor.closeItem(given.sku, now));
        return;
      case 'reopen':
        same('reopenItem', stock.reopenItem(given.sku), auditor.reopenItem(given.sku, now));
        return;
      case 'change': {
        const { sku, perUser, backorder, sellForMs, clamp } = given;
        const changes = { perUser, backorder, sellForMs };
        const done = auditor.changeItem(sku, limitsOf(changes), clamp === true, now);
        same(
          'changeItem',
          outcome(() => stock.changeItem(sku, changes, clamp === undefined ? {} : { clamp })),
          this.#itemChanged(sku, done),
        );
        return;
      }
      case 'setTotal': {
        const { sku, total, clamp } = given;
        const done = auditor.setTotal(sku, total, clamp === true, now);
        same(
          'setTotal',
          outcome(() => stock.setTotal(sku, total, clamp === undefined ? {} : { clamp })),
          this.#itemChanged(sku, done),
        );
        return;
      }
      case 'configure':
        stock.configure({ holdMs: given.holdMs });
        auditor.holdMs = given.holdMs;
        return;
      case 'die':
        stock[Symbol.dispose]();
        this.objects[given.by % this.objects.length] = Stock.attach(this.object(given.by + 1).handle);
        return;
      case 'snapshot':
        this.#snapshot(given.name, stock);
        return;
      case 'restore':
        this.#restore(given.of, given.grow);
        return;
    }
  }

  async settle(): Promise<void> {
    const expected = this.auditor.movements
      .splice(0)
      .map((one) => ({ ...one, timeMs: this.time.shownMs(Math.round(one.timeMs * 1e6)) }));
    if (this.scenario.movements === 0) return;
    const actual: Movement[] = [];
    // A movement of an item with several shards may be reported in parts.
    const parted = this.#parted();
    while (actual.length < expected.length || (parted && sum(actual) < sum(expected))) {
      const next = await inTime(this.#told.next(), 'a movement should have come');
      holds('the movements end', next.done !== true);
      const told = next.value as Told;
      holds('no movement is lost', (told.kind as string) !== 'lost', told);
      actual.push(this.#named(told));
    }
    if (!parted) same('movements', actual, expected);
    else same('movements', merged(actual), merged(expected));
  }

  check(): void {
    const { auditor } = this;
    const stock = this.object(0);
    for (const sku of auditor.items.keys()) {
      const counts = stock.counts(sku);
      same(`counts of ${sku}`, counts, auditor.counts(sku));
      holds(
        `available + reserved + sold = total + backordered of ${sku}`,
        counts.available + counts.reserved + counts.sold === counts.total + (counts.backordered ?? 0),
      );
    }
    same('stats of the stock', stock.stats(), auditor.counters);
    // An audit looks at the whole table, so it runs only when something has changed.
    const state = [auditor.counters, ...[...auditor.items.values()].map((item) => ({ ...item }))];
    if (isDeepStrictEqual(state, this.#lastAudit)) return;
    this.#lastAudit = structuredClone(state);
    same(
      'audit',
      outcome(() => stock.audit()),
      { items: auditor.items.size, held: auditor.held },
    );
  }

  dueTimes(): number[] {
    return this.auditor.deadlines();
  }

  dispose(): void {
    for (const stock of this.objects) stock[Symbol.dispose]();
  }

  object(by: number): Stock {
    return this.objects[by % this.objects.length] as Stock;
  }

  #list({ state, user, sku, limit, after }: List, stock: Stock, now: number): void {
    const last = after === undefined ? undefined : this.#reservations.get(after);
    const filter = {
      ...(state !== undefined && { state }),
      ...(user !== undefined && { user: keyOf(user) }),
      ...(sku !== undefined && { sku }),
    };
    const page = { ...(limit !== undefined && { limit }), ...(last !== undefined && { after: last }) };
    // With a user, but without a state or a page, `find` is called instead of `reservations`.
    const asks = user !== undefined && state === undefined && limit === undefined && last === undefined;
    const found = outcome(() => {
      const list = asks ? stock.find({ user: keyOf(user), ...(sku !== undefined && { sku }) }) : undefined;
      return (list ?? [...stock.reservations({ ...filter, ...page })]).map((one) => this.#listed(one));
    });
    const { auditor } = this;
    if (sku !== undefined && !auditor.items.has(sku)) {
      same('reservations of no item', found, { error: 'ERR_SLUICE_OPTION' });
      return;
    }
    const from = last === undefined ? -1 : auditor.place(after as number);
    const expected = listedFrom(from, auditor, { state, user, sku }, now);
    same('reservations', found, expected.slice(0, limit));
  }

  /** Compares what the ledger, or a gate over it, answered; `actual` has the form of an answer of `Stock.reserve`. */
  compareReserved(what: string, expected: Answer, actual: unknown, holdMs: number): void {
    if (!('ok' in expected) || !expected.ok) {
      const { name, ...refused } = 'name' in expected ? expected : { ...expected, name: undefined };
      const reservation = name === undefined ? undefined : this.#reservations.get(name);
      same(what, actual, { ...refused, ...(reservation !== undefined && { reservation }) });
      return;
    }
    const { reservation } = actual as { reservation?: bigint };
    const { name, duplicate } = expected;
    if (!duplicate) this.remember(name, reservation);
    same(what, actual, {
      ok: true,
      reservation: this.#reservations.get(name),
      expiresInMs: duplicate ? this.auditor.leftNs(name, this.time.now) / 1e6 : holdMs,
      duplicate,
      state: duplicate ? this.auditor.stateAt(name, this.time.now) : 'held',
    });
  }

  /** Remembers a reservation that was made. */
  remember(name: number, reservation: bigint | undefined): void {
    if (reservation === undefined) return;
    holds('an id of a reservation is given out once', !this.#names.has(reservation), reservation);
    this.#names.set(reservation, name);
    this.#reservations.set(name, reservation);
  }
  reservation(name: number): bigint | undefined {
    return this.#reservations.get(name);
  }

  /** Saves the ledger and restores it at once. */
  restart(name: number): void {
    // The auditor does not know which places the parts of a sharded item take.
    if (this.#parted()) return;
    this.#snapshot(name, this.object(0));
    this.#restore(name, undefined);
  }

  #snapshot(name: number, stock: Stock): void {
    const { now } = this.time;
    this.#snapshots.push({
      name,
      bytes: stock.snapshot(),
      auditor: this.auditor.restored(now, now),
      at: now,
      names: [...this.#reservations.keys()],
    });
  }

  #restore(of: number, grow: Growth | undefined): void {
    const snapshot = this.#snapshots.find(({ name }) => name === of);
    if (snapshot === undefined) return;
    const { shape } = snapshot.auditor;
    const larger = grow === undefined ? shape : grown(shape, grow);
    this.auditor = snapshot.auditor.restored(snapshot.at, this.time.now, larger);
    for (const stock of this.objects) stock[Symbol.dispose]();
    const sizes = grow === undefined ? {} : larger;
    this.objects = this.#attached(Stock.restore(snapshot.bytes, { clock: this.time.clock, ...sizes }));
    this.#told = this.#newReader();
    this.#lastAudit = undefined;
    // Reservations after the snapshot never happened: their bigints may be given out again.
    const names = new Set(snapshot.names);
    for (const [name, id] of this.#reservations) {
      if (names.has(name)) continue;
      this.#reservations.delete(name);
      this.#names.delete(id);
    }
    // Snapshots taken after it are forgotten, too.
    while ((this.#snapshots.at(-1)?.name ?? 0) > of) this.#snapshots.pop();
    for (const replaced of this.onReplaced) replaced();
  }

  #itemChanged(sku: Sku, done: 'ok' | 'units-taken' | undefined): unknown {
    const counts = this.auditor.counts(sku);
    if (done === undefined) return { error: 'ERR_SLUICE_OPTION' };
    return done === 'ok' ? { ok: true, counts } : { ok: false, reason: done, counts };
  }

  #attached(stock: Stock): Stock[] {
    return [stock, ...Array.from({ length: this.scenario.objects - 1 }, () => Stock.attach(stock.handle))];
  }

  /** Reads the movements through an object that is not disposed of. */
  async *#newReader(): AsyncGenerator<unknown, void, undefined> {
    let from = 0;
    for (;;) {
      for await (const movement of this.object(0).movements({ from })) {
        from++;
        yield movement;
      }
    }
  }

  #named({ position: _, reservation, ...rest }: Told): Movement {
    return reservation === undefined ? rest : { ...rest, reservation: this.#names.get(reservation) ?? -1 };
  }

  #listed({ reservation, ...rest }: FoundReservation): object {
    return { ...rest, reservation: this.#names.get(reservation) ?? -1 };
  }

  #parted(): boolean {
    return [...this.auditor.items.values()].some(({ shards }) => shards > 1);
  }
}
