import { clearInterval } from 'node:timers';
import {
  Attachment,
  checkedAnswer,
  checkedHandle,
  type Handle,
  isMaker,
  type Maker,
  made,
  maker,
  type NativeHandle,
  type NativeStock,
  native,
  stockLimits,
} from '../binding/index.js';
import { constructorError, isOurs, Options } from '../input/index.js';
import {
  type ItemChanged,
  type Refused,
  type Reserved,
  type Resolution,
  type ReturnResolution,
  resolutionName,
} from './answers.js';
import { type AuditReport, audited } from './audit.js';
import type { CartLine } from './cart.js';
import { type ChangeOptions, type ChangeResolution, changeHeld } from './change.js';
import { type StockCounts, type StockStats, statsOf } from './figures.js';
import { ItemCalls } from './items.js';
import { type LostMovements, type Movement, readMovements } from './movements.js';
import {
  checkedGroup,
  checkedItem,
  checkedOptions,
  type ItemChanges,
  type RestoreOptions,
  type StockChanges,
  type StockGroup,
  type StockItem,
  type StockOptions,
} from './options.js';
import { type BoughtUnits, type ConfirmOptions, PartCalls, type PartOptions } from './parts.js';
import type { CartOptions, ReserveOptions } from './request.js';
import {
  type FindOptions,
  type FoundReservation,
  type ReservationFilter,
  ReservationFinder,
} from './reservations.js';
import { reserveCart, reserveItem } from './reserve.js';
import { restorer, snapshotOf } from './snapshot.js';
import { checkedReservation, type LedgerKey, StockStaging } from './staging.js';
import { sweepRegularly } from './sweeper.js';

/** Names a ledger to other threads. Survives structured clone. */
export type StockHandle = Handle<'stock'>;

const what = 'Stock';
const { holdMs: holdMsMax } = stockLimits;

/**
 * Only other modules of lib/ can call these. A program cannot reach a native object from a public one, because
 * native code trusts its callers.
 */
export let nativeStock: (stock: Stock) => NativeStock;
/** Why the ledger needs users, as far as this object knows: one of its items, in words. */
export let whyUsers: (stock: Stock) => string;
export let attachStock: (where: string, handle: NativeHandle) => Stock;
/** Stages the summed lines of a cart for a native call of a gate. */
export let stageLines: (stock: Stock, lines: readonly CartLine[]) => void;
/**
 * Sets the time until which an item is sold, in milliseconds of `bootTimeMs` (of the manual clock, if the ledger has
 * one). 0: it is not sold from now on; Infinity: without an end. Allocates nothing.
 */
export let sellUntil: (stock: Stock, sku: number | string, atBootMs: number) => void;

/**
 * Returns the milliseconds of a monotonic clock that goes on while the machine is suspended: the clock of `sellUntil`.
 * Its zero is arbitrary, and the same for all threads and processes of a machine until it starts anew.
 */
export const bootTimeMs: () => number = native.bootTimeMs;

/**
 * A ledger of items for sale, shared by all threads of the process: reserve units, then confirm or cancel them, or let
 * them expire. For each item `available + reserved + sold = total` at every instant (with a backorder cap
 * `total + backordered`), and a reservation is resolved at most once, however many threads try.
 *
 * Time is monotonic. A reservation never expires before its deadline; from then on it can no longer be confirmed. The
 * memory is reserved at creation and never grows (see the option `commit`). The ledger exists as long as a thread has
 * it.
 */
export class Stock implements Disposable {
  readonly #native: NativeStock;
  readonly #attachment: Attachment<'stock'>;
  readonly #staging: StockStaging;
  readonly #items: ItemCalls;
  readonly #parts: PartCalls;
  readonly #finder: ReservationFinder;
  readonly #sweeper: NodeJS.Timeout | undefined;

  private constructor(by: Maker, attach: (staging: ArrayBuffer) => NativeStock) {
    if (!isMaker(by)) {
      throw constructorError('Stock', 'Stock.create(), Stock.restore() or Stock.attach()');
    }
    this.#staging = new StockStaging();
    this.#native = attach(this.#staging.buffer);
    this.#attachment = new Attachment('stock', this, this.#native);
    this.#items = new ItemCalls(this.#native, this.#staging);
    this.#parts = new PartCalls(this.#native, this.#staging);
    this.#finder = new ReservationFinder(this.#native, this.#staging);
    if (!this.#native.manualClock) this.#sweeper = sweepRegularly(this.#native);
  }

  /** True only for objects that this copy of sluice made, whatever their prototype. */
  static [Symbol.hasInstance](value: unknown): value is Stock {
    return typeof value === 'object' && value !== null && #native in value;
  }

  /**
   * Creates a ledger.
   *
   * @param options The items, and the other options of `StockOptions`.
   * @returns The ledger.
   * @throws TypeError, RangeError (`ERR_SLUICE_OPTION`) naming a bad or unknown option;
   *   SluiceError (`ERR_SLUICE_MEMORY`) if the system has no memory to give.
   * @example
   * const stock = Stock.create({ items: [{ sku: 7, quantity: 1_000, perUser: 2 }] });
   */
  static create(options: StockOptions): Stock {
    const checked = checkedOptions(options);
    const stock = new Stock(maker, (staging) =>
      made('Stock.create', native.createStock(checked.native, staging)),
    );
    try {
      for (const group of checked.groups) stock.#items.addGroup(group);
      for (const item of checked.items) stock.#items.add('Stock.create', item);
    } catch (error) {
      stock[Symbol.dispose]();
      throw error;
    }
    return stock;
  }

  /**
   * Attaches to the ledger of another thread by its handle.
   *
   * @param handle The `handle` of the ledger.
   * @returns This thread's object for the same ledger.
   * @throws SluiceError `ERR_SLUICE_HANDLE`, `ERR_SLUICE_LAYOUT`, `ERR_SLUICE_THREADS`, as `Queue.attach`.
   * @example
   * const stock = Stock.attach(workerData.stock);
   */
  static attach(handle: StockHandle): Stock {
    const where = 'Stock.attach';
    return attachStock(where, checkedHandle(where, 'stock', handle));
  }

  /**
   * Creates a ledger that gives the same answers as the one that `snapshot` was taken of: it has the same counts,
   * reservations, users' units and ids. A held reservation has the time left that it had when the snapshot was taken,
   * and so has an item with `sellForMs`.
   * Operation counters and movements begin anew. The tables can have other sizes.
   *
   * @param snapshot The bytes that `snapshot()` returned.
   * @param options Sizes of tables, the clock, and the other options of `RestoreOptions`.
   * @returns The ledger.
   * @throws SluiceError (`ERR_SLUICE_SNAPSHOT`) with the reason, if it is damaged, of another version or no snapshot;
   *   TypeError, RangeError (`ERR_SLUICE_OPTION`), also for a table that is too small for what the snapshot has;
   *   SluiceError (`ERR_SLUICE_MEMORY`).
   * @example
   * const stock = Stock.restore(readFileSync('stock.bin'));
   */
  static restore(snapshot: Uint8Array, options?: RestoreOptions): Stock {
    return new Stock(maker, restorer(snapshot, options));
  }

  static {
    nativeStock = (stock) => stock.#native;
    whyUsers = (stock) => stock.#items.limited ?? 'an item has a limit per user or is in a group';
    attachStock = Stock.#attach;
    stageLines = (stock, lines) => {
      stock.#staging.begin();
      stock.#staging.cart(lines);
    };
    sellUntil = (stock, sku, atBootMs) => stock.#items.sellUntil(sku, atBootMs);
  }

  static #attach(this: void, where: string, handle: NativeHandle): Stock {
    return new Stock(maker, (staging) => made(where, native.attachStock(handle, staging)));
  }

  /** Names the ledger to other threads: survives structured clone (`workerData`, `postMessage`). */
  get handle(): StockHandle {
    return this.#attachment.handle;
  }

  /**
   * Reserves `quantity` units for `user`, or changes nothing and returns the reason. With an `id`, a retry gets the
   * answer of the first call: the same reservation, with its present state and the time left of its hold, or
   * 'already-failed'. Only 'sold-out', 'user-limit' and 'item-closed' are remembered as failures; after another
   * refusal, such as 'sale-over', the same id may be tried again. An id that a gate admitted is refused as
   * 'admitted-by-gate': the consumer of the gate's queue decides its order.
   *
   * Before a call refuses because of too few units, a full table or the user's limit, it expires holds that are over,
   * and tries again. One call looks at some hundred holds at most; if more are over, its refusal is not remembered for
   * the id.
   *
   * @param request The item, its quantity, the user, the id and the hold.
   * @returns The reservation, or the reason of the refusal.
   * @throws TypeError, RangeError (`ERR_SLUICE_OPTION`) naming a bad or unknown option.
   * @example
   * const answer = stock.reserve({ sku: 7, quantity: 1, user: 42, id: 'order-1' });
   * if (answer.ok) stock.confirm(answer.reservation);
   */
  reserve(request: ReserveOptions): Reserved | Refused {
    return reserveItem(this, this.#native, this.#staging, request);
  }

  /**
   * Reserves all lines (1 to 64) under one reservation, or changes nothing and returns the reason. Lines of the same
   * item are added up first; their sum is at most 4,294,967,295. With an `id`, a repetition must have the same sums, in
   * any order, and the same user ('id-mismatch' otherwise).
   *
   * If a later line of a cart fails, other threads may find the units of its earlier lines taken for tens of
   * nanoseconds. A reservation of one item has that effect only if it needs units of several shards and then fails; no
   * other thread is refused because of that.
   *
   * @param lines 1 to 64 items with their quantities.
   * @param options `user`, `id` and `holdMs`.
   * @returns The reservation, or the reason of the refusal.
   * @throws TypeError, RangeError (`ERR_SLUICE_OPTION`) naming a bad or unknown option.
   * @example
   * const answer = stock.reserveAll([{ sku: 7, quantity: 1 }, { sku: 8, quantity: 2 }], { user: 42 });
   */
  reserveAll(lines: readonly CartLine[], options?: CartOptions): Reserved | Refused {
    return reserveCart(this, this.#native, this.#staging, lines, options);
  }

  /**
   * Sells all units that the reservation holds, or a part of them: `quantity` units of a reservation of one item, or
   * `lines`. The rest goes back on sale, or stays held with `rest: 'hold'`, so that a shipment in two parts is two
   * calls. Exactly one caller confirms each unit, and exactly one gets 'confirmed' for the whole or the last part. A
   * reservation is given as its bigint, or as the decimal string that it is in JSON.
   *
   * @param reservation The bigint of the reservation, or its decimal string.
   * @param options Which part, and what to do with the rest. Default: all of it.
   * @returns 'confirmed', or what the reservation had become before.
   * @throws TypeError, RangeError (`ERR_SLUICE_OPTION`), also for a quantity that is more than the reservation holds
   *   (now: another thread may have resolved a part), and for an item that is not in it; nothing is changed then.
   * @example
   * if (stock.confirm(reservation) !== 'confirmed') refundPayment();
   */
  confirm(reservation: bigint | string, options?: ConfirmOptions): Resolution {
    if (options !== undefined) return this.#parts.confirm(reservation, options);
    this.#stageReservation('confirm', reservation);
    return resolutionName(checkedAnswer(what, this.#native.confirm()), 'confirmed');
  }

  /**
   * Puts back on sale all units that the reservation holds, or a part of them, named as for `confirm`; the rest then
   * stays held. Exactly one caller cancels each unit, and exactly one gets 'cancelled' for the whole or the last part.
   * Units that were confirmed stay sold: see `return`.
   *
   * @param reservation The bigint of the reservation, or its decimal string.
   * @param options Which part. Default: all of it.
   * @returns 'cancelled', or what the reservation had become before.
   * @throws TypeError, RangeError (`ERR_SLUICE_OPTION`), as `confirm`.
   * @example
   * stock.cancel(reservation);
   */
  cancel(reservation: bigint | string, options?: PartOptions): Resolution {
    if (options !== undefined) return this.#parts.cancel(reservation, options);
    this.#stageReservation('cancel', reservation);
    return resolutionName(checkedAnswer(what, this.#native.cancel()), 'cancelled');
  }

  /**
   * Changes how many units a reservation holds: `quantity` of a reservation of one item, or `lines` for items of the
   * reservation. The bigint, the deadline and the confirmed units stay as they are. Additional units are reserved as by
   * `reserve`; units that are given up go back on sale and out of the user's count. The call does all of it, or
   * nothing. `lines` name items that the reservation has or had; a quantity of 0 takes an item out of it.
   *
   * A reservation without a user gets no additional units of an item that has a limit per user by now ('user-limit').
   * Additional units are taken before others are put back, so that a refusal changes nothing: to exchange items within
   * a limit that they share, put units back in a call before. Additional units take a place of the table for a moment,
   * also if they need none afterwards.
   *
   * The client's id still belongs to the items and quantities of the first request: a repetition of that request gets
   * this reservation.
   *
   * @param reservation The bigint of the reservation, or its decimal string.
   * @param options `quantity` of a reservation of one item, or `lines`.
   * @returns 'changed', or the reason why nothing was changed.
   * @throws TypeError, RangeError (`ERR_SLUICE_OPTION`), also if nothing would be left (`cancel` ends a reservation),
   *   and for an item that is not in it; nothing is changed then.
   * @example
   * stock.change(reservation, { quantity: 3 });
   */
  change(reservation: bigint | string, options: ChangeOptions): ChangeResolution {
    return changeHeld(this.#native, this.#staging, reservation, options);
  }

  /**
   * Puts units that were bought with a reservation back on sale, and takes them out of their user's count: all units
   * that were bought and not returned, `quantity` units of a reservation of one item, or `lines`. The call returns all
   * of them or none; each unit is returned once. This is possible until the reservation's place in the table is used
   * again ('unknown'): places are used again in the order in which they became free.
   *
   * The second form does not depend on the reservation: it returns units of an item that a user has bought. Units that
   * it returns can no longer be returned by their reservation, and the other way round. If the item never had a limit
   * per user or a group, the ledger does not know its buyers, and checks only that so many units are sold.
   *
   * @param reservation The bigint of the reservation, or its decimal string.
   * @param options Which part. Default: all units that were bought and not returned.
   * @returns 'returned', or the reason why nothing was returned.
   * @throws TypeError, RangeError (`ERR_SLUICE_OPTION`), also for a quantity that is more than was bought with the
   *   reservation and not returned, and for an item that is not in it, or does not exist; nothing is changed then.
   * @example
   * stock.return(reservation, { quantity: 1 });
   */
  return(reservation: bigint | string, options?: PartOptions): ReturnResolution;
  /**
   * Returns units that a user has bought, with whichever reservation: see the other form.
   *
   * @param units The item, the user and the quantity.
   * @returns 'returned', or the reason why nothing was returned.
   * @throws TypeError, RangeError (`ERR_SLUICE_OPTION`).
   * @example
   * stock.return({ sku: 7, user: 42, quantity: 1 });
   */
  return(units: BoughtUnits): ReturnResolution;
  return(given: bigint | string | BoughtUnits, options?: PartOptions): ReturnResolution {
    return typeof given === 'object' && given !== null && options === undefined
      ? this.#parts.giveBackOf(given)
      : this.#parts.giveBack(given, options);
  }

  /**
   * Finds a reservation by its bigint, or by the client's id for as long as the ledger remembers it; undefined if the
   * ledger does not know it. By user, finds all reservations in the table, in the order of their places, as
   * `reservations` lists them. A reservation that has ended is known until its place is used again.
   *
   * @param by One of `reservation`, `id` and `user`; `sku` beside `user`.
   * @returns The reservation, or undefined; for a user a list.
   * @throws TypeError, RangeError (`ERR_SLUICE_OPTION`).
   * @example
   * const found = stock.find({ id: 'order-1' });
   */
  find(by: { readonly user: LedgerKey; readonly sku?: number | string }): FoundReservation[];
  find(
    by: { readonly reservation: bigint | string } | { readonly id: LedgerKey },
  ): FoundReservation | undefined;
  find(by: FindOptions): FoundReservation | FoundReservation[] | undefined {
    return this.#finder.find(by);
  }

  /**
   * Lists the reservations in the table, held or ended and not yet overwritten, in the order of their places. A
   * reservation that is there all the time is listed once, as it was at an instant of the iteration. This is for
   * operators: it looks at the whole table, some thousand places in each native call, which takes about a millisecond
   * for each 65,536 places, and blocks no other thread. If the table is large, pause between reservations, or list
   * pages with `limit` and `after`.
   *
   * @param filter Which ones; `limit` and `after` page through them.
   * @returns An iterator over the reservations.
   * @throws TypeError, RangeError (`ERR_SLUICE_OPTION`), also if there is no such item.
   * @example
   * for (const one of stock.reservations({ sku: 7, state: 'held' })) console.log(one);
   */
  reservations(filter?: ReservationFilter): Generator<FoundReservation, void, undefined> {
    return this.#finder.list(filter, 'Stock.reservations');
  }

  /**
   * Holds the reservation for at least `ms` milliseconds (1 to 86,400,000) from now. Never shortens a hold.
   *
   * @param reservation The bigint of the reservation, or its decimal string.
   * @param ms Milliseconds from now: 1 to 86,400,000.
   * @returns 'extended', or what the reservation has become.
   * @throws TypeError, RangeError (`ERR_SLUICE_OPTION`).
   * @example
   * stock.extend(reservation, 60_000);
   */
  extend(reservation: bigint | string, ms: number): Resolution {
    this.#stageReservation('extend', reservation);
    this.#staging.hold(new Options('Stock.extend', { ms }, ['ms']).number('ms', 1, holdMsMax));
    return resolutionName(checkedAnswer(what, this.#native.extend()), 'extended');
  }

  /**
   * Expires every reservation that is due, and returns how many there were. Without a manual clock this also happens by
   * itself: by an unreferenced timer of each attached thread every 100 ms, and now and then by a thread that reserves.
   * On either clock a reservation that is due also expires when a call would resolve or change it, and when a request
   * needs its units: see `reserve`.
   *
   * @returns How many reservations expired.
   * @throws SluiceError `ERR_SLUICE_DISPOSED` once the ledger is disposed of in this thread.
   * @example
   * clock.advance(30_000);
   * stock.expire();
   */
  expire(): number {
    return checkedAnswer(what, this.#native.expire());
  }

  /**
   * Puts an item on sale.
   *
   * @param item The item.
   * @returns 'added'; 'sku-exists'; 'items-full' if there are `maxItems` items, or no shards are left for it; or
   *   'group-full' if its group has 64 items.
   * @throws TypeError, RangeError (`ERR_SLUICE_OPTION`), also for a group that does not exist.
   * @example
   * stock.addItem({ sku: 9, quantity: 500 });
   */
  addItem(item: StockItem): 'added' | 'sku-exists' | 'items-full' | 'group-full' {
    const where = 'Stock.addItem';
    return this.#items.add(where, checkedItem(where, item));
  }

  /**
   * Makes a group, for items that are added to it later.
   *
   * @param group Its name and its limit per user.
   * @returns 'added', 'group-exists', or 'groups-full' if there are 64 groups.
   * @throws TypeError, RangeError (`ERR_SLUICE_OPTION`).
   * @example
   * stock.addGroup({ name: 'consoles', perUser: 1 });
   */
  addGroup(group: StockGroup): 'added' | 'group-exists' | 'groups-full' {
    return this.#items.addGroup(checkedGroup('Stock.addGroup', group));
  }

  /**
   * Changes the limit per user of a group (1 to 4,294,967,295). A user who has more units keeps them, and gets no more.
   *
   * @param name The name of the group.
   * @param changes Its new limit per user.
   * @returns Whether there is such a group.
   * @throws TypeError, RangeError (`ERR_SLUICE_OPTION`).
   * @example
   * stock.changeGroup('consoles', { perUser: 2 });
   */
  changeGroup(name: string, changes: { readonly perUser: number }): boolean {
    return this.#items.changeGroup(name, changes);
  }

  /**
   * Ends the sale of an item: no more units of it are reserved ('item-closed') until `reopenItem`. Units that are held
   * can still be confirmed.
   *
   * @param sku The item: a whole number from 0 to 4,294,967,295, or a text of 1 to 32 bytes of UTF-8.
   * @returns Whether there is such an item.
   * @throws TypeError, RangeError (`ERR_SLUICE_OPTION`).
   * @example
   * stock.closeItem(7);
   */
  closeItem(sku: number | string): boolean {
    return this.#items.close(sku);
  }

  /**
   * Resumes the sale of an item that was closed. An item that is not closed stays as it is. An id that was refused as
   * 'item-closed' stays refused.
   *
   * @param sku The item: a whole number from 0 to 4,294,967,295, or a text of 1 to 32 bytes of UTF-8.
   * @returns Whether there is such an item.
   * @throws TypeError, RangeError (`ERR_SLUICE_OPTION`).
   * @example
   * stock.reopenItem(7);
   */
  reopenItem(sku: number | string): boolean {
    return this.#items.reopen(sku);
  }

  /**
   * Changes an item for all threads. An option that is left out stays as it is. A user who has more units than a lower
   * `perUser` keeps them, and gets no more.
   *
   * An item counts its users' units from its first limit on: units that are held or sold by then count for no user.
   * When the first limit is set, other threads' operations wait, some nanoseconds for each thread. After a limit is
   * taken away (`perUser: null`), units whose users are known stay counted, in case a limit comes back.
   *
   * `backorder` lets that many units be reserved and sold beyond the total; `counts().backordered` is how many are now.
   * Units that come later (`restock`, `setTotal`, a cancellation) reduce that number first. A cap cannot be lower than
   * the number of backordered units: then the answer is 'units-taken' and nothing is changed, or with `clamp: true` the
   * cap becomes as low as it can be, so that nothing more is backordered. A change of the cap is no movement.
   *
   * `sellForMs` counts from this call, also if the sale of the item was over. That is no movement either.
   *
   * @param sku The item: a whole number from 0 to 4,294,967,295, or a text of 1 to 32 bytes of UTF-8.
   * @param changes `perUser`, `backorder` and `sellForMs`. An option that is left out stays as it is.
   * @param options `clamp`: make the cap as low as it can be, instead of refusing.
   * @returns `ok: true`, or `ok: false` with the reason 'units-taken'; with the counts afterwards in either case.
   * @throws TypeError, RangeError (`ERR_SLUICE_OPTION`), also if there is no such item, or the total and `backorder`
   *   would exceed 4,294,967,295; nothing is changed then.
   * @example
   * stock.changeItem(7, { perUser: 1 });
   */
  changeItem(
    sku: number | string,
    changes: ItemChanges,
    options?: { readonly clamp?: boolean | undefined },
  ): ItemChanged {
    return this.#items.change(sku, changes, options);
  }

  /**
   * Changes the ledger for all threads. An option that is left out stays as it is. `holdMs` (1 to 86,400,000) is for
   * later reservations: those that are held keep their deadlines.
   *
   * @param changes The new options.
   * @throws TypeError, RangeError (`ERR_SLUICE_OPTION`).
   * @example
   * stock.configure({ holdMs: 60_000 });
   */
  configure(changes: StockChanges): void {
    const given = new Options('Stock.configure', changes, ['holdMs']);
    if (!given.has('holdMs')) return;
    this.#staging.hold(given.number('holdMs', 1, holdMsMax));
    checkedAnswer(what, this.#native.configure());
  }

  /**
   * Puts `quantity` more units (1 to 4,294,967,295) of an item on sale.
   *
   * @param sku The item: a whole number from 0 to 4,294,967,295, or a text of 1 to 32 bytes of UTF-8.
   * @param quantity Units: 1 to 4,294,967,295.
   * @returns The counts afterwards.
   * @throws TypeError, RangeError (`ERR_SLUICE_OPTION`), also if there is no such item or its total, with its backorder
   *   cap, would exceed 4,294,967,295; nothing is changed then.
   * @example
   * const { available } = stock.restock(7, 100);
   */
  restock(sku: number | string, quantity: number): StockCounts {
    return this.#items.restock(sku, quantity);
  }

  /**
   * Takes up to `quantity` units (1 to 4,294,967,295) of an item off sale: only available units, never units that are
   * held, sold or could still be backordered.
   *
   * @param sku The item: a whole number from 0 to 4,294,967,295, or a text of 1 to 32 bytes of UTF-8.
   * @param quantity Units: 1 to 4,294,967,295.
   * @returns How many were taken off sale.
   * @throws TypeError, RangeError (`ERR_SLUICE_OPTION`), also if there is no such item.
   * @example
   * const taken = stock.withdraw(7, 100);
   */
  withdraw(sku: number | string, quantity: number): number {
    return this.#items.withdraw(sku, quantity);
  }

  /**
   * Sets the total of an item to `total` (0 to 4,294,967,295): more or fewer units become available. The total includes
   * reserved and sold units, so it cannot be lower than their number less the backorder cap: then the answer is
   * 'units-taken' and nothing is changed, or with `clamp: true` the total becomes as low as it can be. The difference
   * is a movement, 'restocked' or 'withdrawn'.
   *
   * @param sku The item: a whole number from 0 to 4,294,967,295, or a text of 1 to 32 bytes of UTF-8.
   * @param total 0 to 4,294,967,295.
   * @param options `clamp`: make the total as low as it can be, instead of refusing.
   * @returns `ok: true`, or `ok: false` with the reason 'units-taken'; with the counts afterwards in either case.
   * @throws TypeError, RangeError (`ERR_SLUICE_OPTION`), also if there is no such item, or `total` and its backorder
   *   cap exceed 4,294,967,295; nothing is changed then.
   * @example
   * stock.setTotal(7, 250);
   */
  setTotal(
    sku: number | string,
    total: number,
    options?: { readonly clamp?: boolean | undefined },
  ): ItemChanged {
    return this.#items.setTotal(sku, total, options);
  }

  /**
   * Returns the units of one item now.
   *
   * @param sku The item: a whole number from 0 to 4,294,967,295, or a text of 1 to 32 bytes of UTF-8.
   * @returns The counts.
   * @throws RangeError (`ERR_SLUICE_OPTION`) if there is no such item.
   * @example
   * const { available } = stock.counts(7);
   */
  counts(sku: number | string): StockCounts {
    return this.#items.counts(sku);
  }

  /**
   * Iterates over every change of stock, oldest first, as far back as the ledger keeps them (see the option
   * `movements`), then over those to come. It ends when the ledger is disposed of in this thread. The movements of one
   * reservation come in their order; those of different reservations, which threads make at the same time, may not.
   *
   * A reader that is too slow misses the oldest movements, and gets their number: `{ kind: 'lost', count }`. Any number
   * of readers can iterate; none slows the threads that sell. A reader looks for new movements every 10 ms, which does
   * not keep the process alive.
   *
   * `from` is the position to begin at, so that a reader can go on where an earlier one ended. It is at most the
   * position of the next movement; positions of a restored ledger begin anew. When `signal` aborts, the iteration
   * throws its reason.
   *
   * @param options `from`, a position, and `signal`.
   * @returns An asynchronous iterator over the movements.
   * @throws TypeError, RangeError (`ERR_SLUICE_OPTION`), also if the ledger was created with `movements: 0`.
   * @example
   * for await (const movement of stock.movements()) await log.append(movement);
   */
  movements(options?: {
    readonly from?: number | undefined;
    readonly signal?: AbortSignal | undefined;
  }): AsyncGenerator<Movement | LostMovements, void, undefined> {
    return readMovements(this.#native, options);
  }

  /**
   * Recomputes every count from the reservations and the users' entries. Operations of other threads wait while the
   * audit reads: some nanoseconds for each reservation and user that the ledger has room for.
   *
   * @returns The counts of the audit: see `AuditReport`.
   * @throws SluiceError (`ERR_SLUICE_AUDIT`) on a mismatch, (`ERR_SLUICE_MEMORY`) if there is no memory for the audit.
   * @example
   * setInterval(() => stock.audit(), 60_000).unref();
   */
  audit(): AuditReport {
    return audited(this.#native, this.#staging);
  }

  /**
   * Returns the whole ledger as bytes, as it was at one instant, for `Stock.restore` of the same version of sluice, on
   * any machine with the same byte order. Operations of other threads wait while the snapshot is taken: some
   * nanoseconds for each reservation, user and id that the ledger has room for.
   *
   * @returns The bytes. They contain the secret of the hashes: keep them where clients cannot read them.
   * @throws SluiceError (`ERR_SLUICE_MEMORY`) if there is no memory for it.
   * @example
   * writeFileSync('stock.bin', stock.snapshot());
   */
  snapshot(): Uint8Array {
    return snapshotOf(this.#native);
  }

  /**
   * Returns counters of operations since creation, over all threads.
   *
   * @returns The counters: see `StockStats`.
   * @throws SluiceError `ERR_SLUICE_DISPOSED` once the ledger is disposed of in this thread.
   * @example
   * const { confirmed, expired } = stock.stats();
   */
  stats(): StockStats {
    return statsOf(what, this.#native, this.#staging);
  }

  /** Disposes of the ledger in this thread, at once. Other threads keep it. */
  [Symbol.dispose](): void {
    clearInterval(this.#sweeper);
    this.#attachment.dispose();
  }

  #stageReservation(method: string, reservation: unknown): void {
    this.#staging.reservation = checkedReservation(`Stock.${method}: reservation`, reservation);
  }
}
isOurs(Stock);
