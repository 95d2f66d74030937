// The items of a stock ledger and their counts, in maps and lists. Times are in nanoseconds, unless their names end in
// Ms.

import type { StockCounts } from 'sluice';
import { type Group, type Line, type Movement, type NewItem, pair, type Sku } from './cart.js';
import { DueTimes } from './due.js';
import { IdMemory } from './ids.js';
import { Purchases, unitsOf } from './parts.js';
export type Phase = 'held' | 'confirmed' | 'cancelled' | 'expired';
export interface ReservedLine {
  readonly sku: Sku;
  /** Units that are held, or were held until the reservation ended. */
  quantity: number;
  /** Units that were bought and not returned. */
  sold: number;
  readonly place: number;
  /** Whether the units count towards a limit per user. */
  readonly counted: boolean;
}
export interface Reservation {
  readonly lines: ReservedLine[];
  readonly user: string | undefined;
  readonly id: string | undefined;
  deadline: number;
  phase: Phase;
}
export interface Item {
  readonly sku: Sku;
  total: number;
  /** Negative while units are reserved and sold beyond the total, by at most `backorder`. */
  available: number;
  reserved: number;
  backorder: number;
  perUser: number;
  readonly group: string | undefined;
  readonly shards: number;
  closed: boolean;
  /** The time from which on nothing more is reserved; infinite without one. */
  sellUntil: number;
}
/** Undefined means unchanged. */
export interface Changes {
  readonly perUser?: number | undefined;
  readonly backorder?: number | undefined;
  /** Infinity means without an end. */
  readonly sellForMs?: number | undefined;
}
export interface LedgerShape {
  readonly maxItems: number;
  readonly maxReservations: number;
  readonly maxUsers: number;
  readonly maxIds: number;
}
export interface Found {
  readonly reservation: number;
  readonly state: Phase;
  readonly expiresInMs: number;
  readonly user?: bigint | string;
  readonly id?: bigint | string;
  readonly lines: ReadonlyArray<Line & { readonly sold: number }>;
}
const unitsMax = 4_294_967_295;

/** The contents of a ledger, the calls about its items, and the calls that only look. */
export class LedgerBook {
  items: Map<Sku, Item> = new Map();
  /** The free places of the table, in the order in which they will be taken. Each line of a reservation takes one. */
  free: number[];
  /**
   * For each place, the reservation that it was last given to, or `nobody` if that reservation was not made. A place
   * without an entry was never used.
   */
  tenants: Map<number, number> = new Map();
  /** The limit per user of each group. */
  groups: Map<string, number> = new Map();
  reservations: Map<number, Reservation> = new Map();
  /** Units held or bought, by user and item. */
  users: Map<string, number> = new Map();
  purchases = new Purchases();
  ids: IdMemory;
  readonly due = new DueTimes();
  counters = {
    reserved: 0,
    confirmed: 0,
    cancelled: 0,
    expired: 0,
    extended: 0,
    parted: 0,
    changed: 0,
    returned: 0,
    refused: 0,
  };
  /** The movements that were not yet compared with the ledger's movements. */
  movements: Movement[] = [];

  constructor(
    readonly shape: LedgerShape,
    /** The hold of new reservations. */
    public holdMs: number,
  ) {
    this.free = Array.from({ length: shape.maxReservations }, (_, place) => place);
    this.ids = new IdMemory(shape.maxIds);
  }

  // ---- items -------------------------------------------------------------------------------------------------

  addGroup({ name, perUser }: Group): string {
    if (this.groups.has(name)) return 'group-exists';
    this.groups.set(name, perUser);
    return 'added';
  }
  changeGroup(name: string, perUser: number): boolean {
    const known = this.groups.has(name);
    if (known) this.groups.set(name, perUser);
    return known;
  }
  addItem(item: NewItem, now: number): string {
    const { sku, quantity, perUser = 0, backorder = 0, group, shards = 1, sellForMs } = item;
    if (group !== undefined && !this.groups.has(group)) return 'ERR_SLUICE_OPTION';
    if (this.items.has(sku)) return 'sku-exists';
    const lines = [...this.items.values()].reduce((sum, item) => sum + item.shards, 0);
    if (lines + shards > this.shape.maxItems) return 'items-full';
    const units = { total: quantity, available: quantity, reserved: 0 };
    const sellUntil = timeAfter(now, sellForMs);
    const added = { sku, ...units, perUser, backorder, group, shards, closed: false, sellUntil };
    this.items.set(sku, added);
    if (counts(added)) this.purchases.count(sku, 0);
    this.move('added', { sku, quantity }, now);
    return 'added';
  }
  closeItem(sku: Sku, now: number): boolean {
    const item = this.items.get(sku);
    if (item === undefined) return false;
    if (!item.closed) this.move('closed', { sku, quantity: 0 }, now);
    item.closed = true;
    return true;
  }
  reopenItem(sku: Sku, now: number): boolean {
    const item = this.items.get(sku);
    if (item === undefined) return false;
    if (item.closed) this.move('reopened', { sku, quantity: 0 }, now);
    item.closed = false;
    return true;
  }
  /**
   * Values that are left out do not change; 0 as `perUser` means no limit. If more units are backordered than
   * `backorder`, returns 'units-taken', or, with `clamp`, sets the cap to that number of units.
   */
  changeItem(sku: Sku, changes: Changes, clamp: boolean, now: number): 'ok' | 'units-taken' | undefined {
    const { perUser, backorder, sellForMs } = changes;
    const item = this.items.get(sku);
    if (item === undefined) return undefined;
    if (backorder !== undefined) {
      const least = Math.max(0, -item.available);
      if (item.total + backorder > unitsMax) return undefined;
      if (backorder < least && !clamp) return 'units-taken';
      item.backorder = Math.max(backorder, least);
    }
    item.perUser = perUser ?? item.perUser;
    if (sellForMs !== undefined) item.sellUntil = timeAfter(now, sellForMs);
    if (item.perUser > 0) this.purchases.count(sku, this.sold(sku));
    return 'ok';
  }
  restock(sku: Sku, quantity: number, now: number): boolean {
    const item = this.items.get(sku);
    if (item === undefined || item.total + item.backorder + quantity > unitsMax) return false;
    item.total += quantity;
    item.available += quantity;
    this.move('restocked', { sku, quantity }, now);
    return true;
  }
  withdraw(sku: Sku, quantity: number, now: number): number | undefined {
    const item = this.items.get(sku);
    if (item === undefined) return undefined;
    const taken = Math.min(quantity, Math.max(0, item.available));
    item.total -= taken;
    item.available -= taken;
    if (taken > 0) this.move('withdrawn', { sku, quantity: taken }, now);
    return taken;
  }
  /**
   * If more units are reserved and sold than `total` and the backorder cap together, returns 'units-taken', or, with
   * `clamp`, sets the lowest possible total.
   */
  setTotal(sku: Sku, total: number, clamp: boolean, now: number): 'ok' | 'units-taken' | undefined {
    const item = this.items.get(sku);
    if (item === undefined || total + item.backorder > unitsMax) return undefined;
    const least = Math.max(0, item.total - item.available - item.backorder);
    if (total < least && !clamp) return 'units-taken';
    const by = Math.max(total, least) - item.total;
    item.total += by;
    item.available += by;
    if (by > 0) this.move('restocked', { sku, quantity: by }, now);
    if (by < 0) this.move('withdrawn', { sku, quantity: -by }, now);
    return 'ok';
  }
  counts(sku: Sku): StockCounts | undefined {
    const item = this.items.get(sku);
    if (item === undefined) return undefined;
    const { total, available, reserved, backorder } = item;
    return {
      total,
      available: Math.max(0, available),
      reserved,
      sold: this.sold(sku),
      ...(backorder > 0 && { backorder, backordered: Math.max(0, -available) }),
    };
  }

  // ---- asking -----------------------------------------------------------------------------------------------

  /** Returns the phase of a reservation; undefined if there is none, or if its first place has been given away. */
  phase(name: number): Phase | undefined {
    const reservation = this.reservations.get(name);
    if (reservation === undefined) return undefined;
    return this.tenants.get(placeOf(reservation)) === name ? reservation.phase : undefined;
  }

  /** Returns the deadline of a reservation; undefined if it is not held. */
  heldUntil(name: number): number | undefined {
    return this.phase(name) === 'held' ? this.reservations.get(name)?.deadline : undefined;
  }
  /** Returns what is left of a reservation's hold: 0 if it is not held. */
  leftNs(name: number, now: number): number {
    return Math.max(0, (this.heldUntil(name) ?? 0) - now);
  }

  /** Returns what is known of a reservation; undefined unless all of its places are still its own. */
  found(name: number, now: number): Found | undefined {
    const reservation = this.reservations.get(name);
    if (reservation === undefined || reservation.lines.some(({ place }) => this.tenants.get(place) !== name))
      return undefined;
    const { user, id, deadline, phase } = reservation;
    const sold = unitsOf(reservation.lines.map((line) => ({ sku: line.sku, quantity: line.sold })));
    const lines = Array.from(unitsOf(reservation.lines), ([sku, quantity]) => {
      return { sku, quantity, sold: sold.get(sku) as number };
    });
    const isDue = phase === 'held' && now >= deadline;
    return {
      reservation: name,
      state: isDue ? 'expired' : phase,
      expiresInMs: phase === 'held' && !isDue ? (deadline - now) / 1e6 : 0,
      ...(user === undefined ? {} : { user: shownKey(user) }),
      ...(id === undefined ? {} : { id: shownKey(id) }),
      lines,
    };
  }
  /** Returns the reservation that the ledger remembers for a client's id; undefined if there is none. */
  reservationOf(id: string): number | undefined {
    const answer = this.ids.find(id)?.answer;
    return answer === 'failed' ? undefined : answer;
  }
  /** Returns the place of a known reservation; -1 if it is not known. */
  place(name: number): number {
    const reservation = this.reservations.get(name);
    return reservation === undefined ? -1 : placeOf(reservation);
  }
  /** Returns the reservations of which all places are still their own, in the order of their places. */
  listed(): number[] {
    const whole = [...this.reservations].filter(([name, { lines }]) =>
      lines.every(({ place }) => this.tenants.get(place) === name),
    );
    return whole.sort(([, a], [, b]) => placeOf(a) - placeOf(b)).map(([name]) => name);
  }
  get held(): number {
    return this.heldLines().length;
  }
  heldLines(): Array<{ name: number; skus: Sku[] }> {
    const held = [...this.reservations].filter(([, { phase }]) => phase === 'held');
    return held.map(([name, { lines }]) => ({ name, skus: lines.map(({ sku }) => sku) }));
  }
  /** Returns the lines that have bought units which were not returned by reservation. */
  bought(): Array<{ name: number; sku: Sku; user: string | undefined }> {
    return [...this.reservations].flatMap(([name, { lines, user }]) =>
      lines.filter(({ sold }) => sold > 0).map(({ sku }) => ({ name, sku, user })),
    );
  }
  deadlines(): number[] {
    const held = [...this.reservations.values()].filter(({ phase }) => phase === 'held');
    const sales = [...this.items.values()].map(({ sellUntil }) => sellUntil);
    return [...held.map(({ deadline }) => deadline), ...sales.filter(Number.isFinite)];
  }

  protected sold(sku: Sku): number {
    const { total, available, reserved } = this.item(sku);
    return total - available - reserved;
  }
  protected reservation(name: number): Reservation {
    return this.reservations.get(name) as Reservation;
  }
  protected item(sku: Sku): Item {
    return this.items.get(sku) as Item;
  }
  protected unitsOf(user: string, sku: Sku): number {
    return this.users.get(pair(user, sku)) ?? 0;
  }
  /** Whether `quantity` more units exceed the user's limit in the item's group. */
  protected exceedsGroup({ group }: Item, user: string, quantity: number): boolean {
    if (group === undefined) return false;
    const members = [...this.items.values()].filter((item) => item.group === group);
    const has = members.reduce((sum, { sku }) => sum + this.unitsOf(user, sku), 0);
    return has + quantity > (this.groups.get(group) as number);
  }
  protected count(user: string, sku: Sku, by: number): void {
    const units = this.unitsOf(user, sku) + by;
    if (units === 0) this.users.delete(pair(user, sku));
    else this.users.set(pair(user, sku), units);
  }
  protected move(
    kind: string,
    { sku, quantity }: Line,
    now: number,
    reservation?: number,
    user?: string,
  ): void {
    const told = user === undefined ? {} : { user: shownKey(user) };
    const about = reservation === undefined ? {} : { reservation };
    this.movements.push({ kind, sku, quantity, timeMs: now / 1e6, ...about, ...told });
  }
}

function timeAfter(now: number, ms = Number.POSITIVE_INFINITY): number {
  return ms === Number.POSITIVE_INFINITY ? ms : now + Math.round(ms * 1e6);
}

/** Returns a user or an id in the form of sluice's answers. */
function shownKey(key: string): bigint | string {
  return key.startsWith('#') ? BigInt(key.slice(1)) : key.slice(1);
}

/** Whether an item counts its users. */
export function counts({ perUser, group }: Item): boolean {
  return perUser > 0 || group !== undefined;
}

export function placeOf({ lines }: Reservation): number {
  return (lines[0] as ReservedLine).place;
}
