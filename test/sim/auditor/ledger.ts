// The model of a stock ledger, in maps and lists. Times are in nanoseconds, unless their names end in Ms.

import { type Answer, bodyOf, type Line, pair, type Sku, summed, type Who } from './cart.js';
import {
  counts,
  LedgerBook,
  type LedgerShape,
  type Phase,
  placeOf,
  type Reservation,
  type ReservedLine,
} from './ledger-book.js';
import { levelsOf, type Part, unitsOf, unitsOfPart } from './parts.js';

export type { Found, LedgerShape, Phase } from './ledger-book.js';

const nobody = -1;
const final = new Set(['sold-out', 'user-limit', 'item-closed']);

export class Ledger extends LedgerBook {
  // ---- reserving ---------------------------------------------------------------------------------------------

  reserve(name: number, now: number, cart: readonly Line[], who: Who, holdNs: number): Answer {
    const lines = summed(cart);
    const answer = this.#answer(name, now, lines, who, holdNs);
    if ('ok' in answer) {
      if (!answer.ok) this.counters.refused++;
      else if (!answer.duplicate) this.counters.reserved++;
    } else {
      this.counters.refused++;
    }
    return answer;
  }

  /**
   * Returns why the stock refuses a cart. All reservations that are due expire first, and the stock is asked again, in
   * two cases: the reason is 'sold-out' or 'user-limit', and units of the refused item are held; or the reason is
   * 'user-limit', and that item is in a group.
   */
  objectionPastDue(cart: readonly Line[], user: string | undefined, now: number): Answer | undefined {
    const objection = this.objection(cart, user, now);
    if (objection === undefined || !('reason' in objection)) return objection;
    const { reason, sku } = objection;
    if (reason !== 'sold-out' && reason !== 'user-limit') return objection;
    const { reserved, group } = this.item(sku as Sku);
    const ofGroup = reason === 'user-limit' && group !== undefined;
    if (reserved === 0 && !ofGroup) return objection;
    this.expire(now);
    return this.objection(cart, user, now);
  }

  /** Returns why the stock refuses a cart now, without a look at ids. */
  objection(cart: readonly Line[], user: string | undefined, now: number): Answer | undefined {
    const lines = summed(cart);
    const about = (sku: Sku, reason: string): Answer => ({ ok: false, reason, sku });
    for (const { sku, quantity } of lines) {
      const item = this.items.get(sku);
      if (item === undefined) return about(sku, 'unknown-sku');
      if (item.closed) return about(sku, 'item-closed');
      if (now >= item.sellUntil) return about(sku, 'sale-over');
      if (item.available + item.backorder < quantity) return about(sku, 'sold-out');
      if (!counts(item)) continue;
      if (user === undefined) return { error: 'ERR_SLUICE_OPTION' };
      const own = item.perUser > 0 && this.unitsOf(user, sku) + quantity > item.perUser;
      if (own || this.exceedsGroup(item, user, quantity)) return about(sku, 'user-limit');
    }
    return undefined;
  }

  /** Returns the answer that the ledger gives because it remembers the id; undefined if it does not. */
  recall(cart: readonly Line[], { user, id, byGate = false }: Who): Answer | undefined {
    if (id === undefined) return undefined;
    const known = this.ids.find(id);
    if (known === undefined) return undefined;
    if (known.body !== bodyOf(summed(cart), user)) return { ok: false, reason: 'id-mismatch' };
    if (known.answer === 'failed') return { ok: false, reason: 'already-failed' };
    if (known.byGate !== byGate) {
      return { ok: false, reason: byGate ? 'reserved-directly' : 'admitted-by-gate', name: known.answer };
    }
    return { ok: true, name: known.answer, duplicate: true };
  }

  /** Returns the held reservation of a gate's order that is in no queue. */
  stranded(cart: readonly Line[], who: Who, now: number): number | undefined {
    const recalled = this.recall(cart, who);
    if (recalled === undefined || !('ok' in recalled) || !recalled.ok) return undefined;
    const stranded =
      this.ids.find(who.id as string)?.inNoQueue && this.stateAt(recalled.name, now) === 'held';
    return stranded ? recalled.name : undefined;
  }
  /** Records that the order of `id` is queued again, and holds its reservation for as long as a new one. */
  requeue(id: string, name: number, now: number, holdNs: number): void {
    this.extend(name, now, holdNs);
    const known = this.ids.find(id);
    if (known !== undefined) known.inNoQueue = false;
  }

  #answer(name: number, now: number, lines: readonly Line[], who: Who, holdNs: number): Answer {
    this.objectionPastDue(lines, who.user, now);
    const recalled = this.recall(lines, who);
    if (recalled !== undefined) return recalled;
    const { id, user } = who;
    const held = (answer: number): boolean => {
      if (this.phase(answer) === 'held' && this.#isDue(answer, now)) this.#expire(answer, now);
      return this.phase(answer) === 'held';
    };
    const objection = this.objection(lines, user, now);
    if (objection === undefined && id !== undefined && !this.ids.hasRoom(held))
      return { ok: false, reason: 'ids-full' };
    const answer = objection ?? this.#takePastDue(name, now, lines, who, holdNs);
    if (id === undefined || !('ok' in answer)) return answer;
    const body = bodyOf(lines, user);
    if (answer.ok) this.ids.admit(id, body, name, who.byGate === true, held);
    else if (final.has(answer.reason)) this.ids.refuse(id, body);
    return answer;
  }

  /**
   * If the cart is refused and a hold may be over, the reservations that are due expire. The cart is then tried again
   * if one has expired, or if the reason was 'user-limit'.
   */
  #takePastDue(name: number, now: number, lines: readonly Line[], who: Who, holdNs: number): Answer {
    const mayBeDue = this.due.mayBeDue(now);
    const answer = this.#take(name, now, lines, who, holdNs);
    if (!('reason' in answer) || !mayBeDue) return answer;
    const again = this.expire(now) > 0 || answer.reason === 'user-limit';
    return again ? this.#take(name, now, lines, who, holdNs) : answer;
  }

  #take(name: number, now: number, lines: readonly Line[], { user, id }: Who, holdNs: number): Answer {
    const places: number[] = [];
    const refused = this.#takePlaces(lines, user, places);
    if (refused !== undefined) {
      this.free.push(...places);
      for (const place of places) this.tenants.set(place, nobody);
      return refused;
    }
    const taken = lines.map((line, i) => {
      return { ...line, sold: 0, place: places[i] as number, counted: counts(this.item(line.sku)) };
    });
    for (const { sku, quantity, counted } of taken) {
      const item = this.item(sku);
      item.available -= quantity;
      item.reserved += quantity;
      if (counted) this.count(user as string, sku, quantity);
    }
    for (const place of places) this.tenants.set(place, name);
    this.due.add(places[0] as number, now + holdNs);
    this.reservations.set(name, { lines: taken, user, id, deadline: now + holdNs, phase: 'held' });
    for (const line of taken) this.move('reserved', line, now, name, user);
    return { ok: true, name, duplicate: false };
  }

  /** Takes places in the bounded tables: each line in turn needs a user's entry, then a place. */
  #takePlaces(lines: readonly Line[], user: string | undefined, places: number[]): Answer | undefined {
    let entries = this.users.size;
    const before = new Map<string | undefined, number>();
    for (const { sku, quantity } of lines) {
      const item = this.item(sku);
      const units = (before.get(item.group) ?? 0) + quantity;
      before.set(item.group, units);
      if (this.exceedsGroup(item, user as string, units)) return { ok: false, reason: 'user-limit', sku };
      if (counts(item) && !this.users.has(pair(user as string, sku))) {
        if (++entries > this.shape.maxUsers) return { ok: false, reason: 'users-full' };
      }
      const place = this.free.shift();
      if (place === undefined) return { ok: false, reason: 'ledger-full' };
      places.push(place);
    }
    return undefined;
  }

  // ---- resolving ---------------------------------------------------------------------------------------------

  /**
   * Returns the state of a reservation at `now`. A held reservation whose time is over counts as expired, even if no
   * call has found it yet.
   */
  stateAt(name: number, now: number): Phase | 'unknown' {
    return this.#isDue(name, now) && this.phase(name) === 'held'
      ? 'expired'
      : (this.phase(name) ?? 'unknown');
  }

  /** With `hold`, the units that are not in the part stay held. */
  confirm(name: number, now: number, part: Part = {}, hold = false): string {
    return this.#resolve(name, now, (held) => {
      const units = unitsOfPart(held.lines, part);
      if (units === undefined) return 'ERR_SLUICE_OPTION';
      const ends = !hold || held.lines.every((line, i) => line.quantity === units[i]);
      for (const [i, line] of held.lines.entries()) {
        const sold = units[i] as number;
        this.#sell(name, line, sold, now);
        if (!ends) line.quantity -= sold;
        else this.#putBack(name, line, line.quantity - sold, 'returned', now);
      }
      this.#ended(name, ends ? 'confirmed' : 'held');
      return 'confirmed';
    });
  }
  cancel(name: number, now: number, part: Part = {}): string {
    return this.#resolve(name, now, (held) => {
      const units = unitsOfPart(held.lines, part);
      if (units === undefined) return 'ERR_SLUICE_OPTION';
      const ends = held.lines.every((line, i) => line.quantity === units[i]);
      for (const [i, line] of held.lines.entries()) {
        this.#putBack(name, line, units[i] as number, 'cancelled', now);
        if (!ends) line.quantity -= units[i] as number;
      }
      this.#ended(name, ends ? 'cancelled' : 'held');
      return 'cancelled';
    });
  }
  /**
   * `levels` are the quantities from now on. Lines that grow take their units first, then lines that shrink put theirs
   * back.
   */
  change(name: number, now: number, levels: Part): string {
    return this.#resolve(name, now, (held) => {
      const wanted = levelsOf(held.lines, levels);
      if (wanted === undefined) return 'ERR_SLUICE_OPTION';
      const has = unitsOf(held.lines);
      const ups = [...wanted].map(([sku, units]) => ({ sku, quantity: units - (has.get(sku) as number) }));
      const more = ups.filter(({ quantity }) => quantity > 0);
      const mayBeDue = this.due.mayBeDue(now);
      let places = this.#takeMore(more, held.user, now);
      // A hold that is over may be the reason, unless the item is closed or its sale is over, or the item counts users
      // and the reservation has no user.
      const final =
        places === 'item-closed' ||
        places === 'sale-over' ||
        (places === 'user-limit' && held.user === undefined);
      if (typeof places === 'string' && !final && mayBeDue) {
        this.expire(now);
        places = this.#takeMore(more, held.user, now);
      }
      if (typeof places === 'string') return places;
      for (const line of held.lines) {
        const down = (has.get(line.sku) as number) - (wanted.get(line.sku) ?? Number.POSITIVE_INFINITY);
        const back = Math.min(Math.max(0, down), line.quantity);
        this.#putBack(name, line, back, 'cancelled', now);
        line.quantity -= back;
        has.set(line.sku, (has.get(line.sku) as number) - back);
      }
      for (const [i, line] of more.entries()) this.#addLine(name, held, line, places[i] as number, now);
      this.counters.changed++;
      return 'changed';
    });
  }
  /** Returns places for further units, or the reason why there are not enough units or places. */
  #takeMore(lines: readonly Line[], user: string | undefined, now: number): number[] | string {
    const places: number[] = [];
    const users = new Map(this.users);
    const refused = this.#countMore(lines, user, places, now);
    if (refused === undefined) return places;
    this.users = users;
    for (const place of places) this.#free(place);
    return refused;
  }
  /**
   * Checks each line in turn, counts it for its user and takes a place, as a reservation does. Returns the refusal, if
   * any.
   */
  #countMore(
    lines: readonly Line[],
    user: string | undefined,
    places: number[],
    now: number,
  ): string | undefined {
    for (const { sku, quantity } of lines) {
      const item = this.item(sku);
      const refusal = this.objection([{ sku, quantity }], user, now);
      if (refusal !== undefined) return 'reason' in refusal ? refusal.reason : 'user-limit';
      if (counts(item)) {
        const who = user as string;
        if (!this.users.has(pair(who, sku)) && this.users.size >= this.shape.maxUsers) return 'users-full';
        this.count(who, sku, quantity);
      }
      const place = this.free.shift();
      if (place === undefined) return 'ledger-full';
      places.push(place);
    }
    return undefined;
  }
  /**
   * Adds units that the user's count already contains: to the item's line that counts users in the same way, if there
   * is one, or as a new line.
   */
  #addLine(name: number, held: Reservation, { sku, quantity }: Line, place: number, now: number): void {
    const item = this.item(sku);
    item.available -= quantity;
    item.reserved += quantity;
    this.move('reserved', { sku, quantity }, now, name, held.user);
    const counted = counts(item);
    const same = held.lines.find((line) => line.sku === sku && line.counted === counted);
    if (same === undefined) {
      held.lines.push({ sku, quantity, sold: 0, place, counted });
      this.tenants.set(place, name);
    } else {
      same.quantity += quantity;
      this.#free(place);
    }
  }
  #free(place: number): void {
    this.free.push(place);
    this.tenants.set(place, nobody);
  }
  /**
   * Whether units that the reservation gets now would count towards a user's limit and those that it has do not, or the
   * other way round. If so, the units' shards decide which of them go back first.
   */
  mixes(name: number): boolean {
    const lines = this.reservations.get(name)?.lines ?? [];
    return lines.some(({ sku, counted }) => counted !== counts(this.item(sku)));
  }
  extend(name: number, now: number, ns: number): string {
    return this.#resolve(name, now, (held) => {
      held.deadline = Math.max(held.deadline, now + ns);
      this.counters.extended++;
      return 'extended';
    });
  }
  /** Expires the reservations that are due, in the order of their places. */
  expire(now: number): number {
    const due = [...this.reservations]
      .filter(([name]) => this.#isDue(name, now))
      .sort(([, a], [, b]) => placeOf(a) - placeOf(b));
    for (const [name] of due) this.#expire(name, now);
    this.due.looked(now, this.#holds());
    return due.length;
  }
  #holds(): Array<{ place: number; deadline: number }> {
    const held = [...this.reservations.values()].filter(({ phase }) => phase === 'held');
    return held.map((reservation) => ({ place: placeOf(reservation), deadline: reservation.deadline }));
  }

  #isDue(name: number, now: number): boolean {
    const reservation = this.reservations.get(name);
    return reservation?.phase === 'held' && now >= reservation.deadline;
  }

  #resolve(name: number, now: number, held: (reservation: Reservation) => string): string {
    const phase = this.phase(name);
    if (phase === undefined) return 'unknown';
    if (phase === 'expired') return phase;
    if (phase !== 'held') return `already-${phase}`;
    if (!this.#isDue(name, now)) return held(this.reservations.get(name) as Reservation);
    this.#expire(name, now);
    return 'expired';
  }

  #expire(name: number, now: number): void {
    for (const line of this.reservation(name).lines) {
      this.#putBack(name, line, line.quantity, 'expired', now);
    }
    this.#ended(name, 'expired');
  }
  #sell(name: number, line: ReservedLine, units: number, now: number): void {
    if (units === 0) return;
    const { user } = this.reservation(name);
    line.sold += units;
    this.item(line.sku).reserved -= units;
    this.purchases.add(line.sku, line.counted ? user : undefined, units);
    this.move('confirmed', { sku: line.sku, quantity: units }, now, name, user);
  }
  #putBack(name: number, line: ReservedLine, units: number, kind: string, now: number): void {
    if (units === 0) return;
    const { user } = this.reservation(name);
    const item = this.item(line.sku);
    item.reserved -= units;
    item.available += units;
    if (line.counted) this.count(user as string, line.sku, -units);
    this.move(kind, { sku: line.sku, quantity: units }, now, name, user);
  }
  #ended(name: number, phase: Phase): void {
    const reservation = this.reservation(name);
    this.counters[phase === 'held' ? 'parted' : phase]++;
    if (phase === 'held') return;
    reservation.phase = phase;
    for (const { place } of reservation.lines) this.free.push(place);
  }

  // ---- returning ---------------------------------------------------------------------------------------------

  giveBack(name: number, now: number, part: Part = {}): string {
    const reservation = this.reservations.get(name);
    if (reservation === undefined || reservation.lines.some(({ place }) => this.tenants.get(place) !== name))
      return 'unknown';
    const { lines, user, phase } = reservation;
    if (lines.every(({ sold }) => sold === 0))
      return phase === 'confirmed' ? 'already-returned' : 'not-bought';
    const units = unitsOfPart(
      lines.map(({ sku, sold }) => ({ sku, quantity: sold })),
      part,
    );
    if (units === undefined) return 'ERR_SLUICE_OPTION';
    const there = lines.every(({ sku, counted }, i) => {
      const wanted = units[i] as number;
      return this.sold(sku) >= wanted && this.purchases.of(sku, counted ? user : undefined) >= wanted;
    });
    if (!there) return 'already-returned';
    for (const [i, line] of lines.entries()) {
      line.sold -= units[i] as number;
      this.#unsell(line.sku, units[i] as number, line.counted ? user : undefined, now, { name, user });
    }
    this.counters.returned++;
    return 'returned';
  }
  giveBackOf({ sku, quantity }: Line, user: string | undefined, now: number): string {
    const item = this.items.get(sku);
    if (item === undefined) return 'ERR_SLUICE_OPTION';
    if (this.sold(sku) < quantity) return 'not-bought';
    const account = this.purchases.counts(sku) ? user : undefined;
    if (this.purchases.of(sku, account) < quantity) {
      return account === undefined ? 'ERR_SLUICE_OPTION' : 'not-bought';
    }
    this.#unsell(sku, quantity, account, now, { user });
    this.counters.returned++;
    return 'returned';
  }
  #unsell(
    sku: Sku,
    units: number,
    account: string | undefined,
    now: number,
    told: { name?: number; user: string | undefined },
  ): void {
    if (units === 0) return;
    this.purchases.add(sku, account, -units);
    if (account !== undefined) this.count(account, sku, -units);
    this.item(sku).available += units;
    this.move('reversed', { sku, quantity: units }, now, told.name, told.user);
  }

  // ---- snapshots ---------------------------------------------------------------------------------------------

  /**
   * Returns the ledger that a snapshot taken at `then` becomes at `now`. Reservations that were held have as much time
   * left as then.
   */
  restored(then: number, now: number, shape: LedgerShape = this.shape): Ledger {
    const copy = new Ledger(shape, this.holdMs);
    copy.items = structuredClone(this.items);
    copy.groups = new Map(this.groups);
    copy.tenants = new Map(this.tenants);
    copy.purchases = this.purchases.copy();
    copy.users = new Map(this.users);
    copy.reservations = structuredClone(this.reservations);
    copy.ids = this.ids.restored(shape.maxIds);
    for (const item of copy.items.values()) item.sellUntil = now + Math.max(0, item.sellUntil - then);
    for (const reservation of copy.reservations.values()) {
      if (reservation.phase !== 'held') continue;
      reservation.deadline = now + Math.max(0, reservation.deadline - then);
      copy.due.add(placeOf(reservation), reservation.deadline);
    }
    // New places are put behind the free places that were never used: unused places are taken in the order of their
    // numbers.
    let unused = 0;
    while (this.#isUnused(unused)) unused++;
    const added = Array.from(
      { length: shape.maxReservations - this.shape.maxReservations },
      (_, i) => this.shape.maxReservations + i,
    );
    copy.free = [...this.free.slice(0, unused), ...added, ...this.free.slice(unused)];
    return copy;
  }

  /** Whether the free place at index `at` was never used, and has a higher number than the one before it. */
  #isUnused(at: number): boolean {
    const place = this.free[at];
    return (
      place !== undefined && !this.tenants.has(place) && (at === 0 || place > (this.free[at - 1] as number))
    );
  }
}
