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
import {
  type FindOptions,
  type FoundReservation,
  type ReservationFilter,
  ReservationFinder,
} from './reservations.js';
import { type CartOptions, type ReserveOptions, reserveCart, reserveItem } from './reserve.js';
import { restorer, snapshotOf } from './snapshot.js';
import { checkedReservation, type LedgerKey, StockStaging } from './staging.js';
import { sweepRegularly } from './sweeper.js';

/** Names a ledger to other threads. Survives structured clone. */
export type StockHandle = Handle<'stock'>;

const what = 'Stock';
const { holdMs: holdMsMax } = stockLimits;

/** For others in lib/ that build on a ledger. Nothing leads to it from the object: native code trusts its callers. */
export let nativeStock: (stock: Stock) => NativeStock;
export let attachStock: (handle: NativeHandle) => Stock;
/** Stages the summed lines of a cart for a native call of one that builds on the ledger. */
export let stageLines: (stock: Stock, lines: readonly CartLine[]) => void;

/**
 * A ledger of items for sale, shared by all threads of the process: reserve units, then confirm or cancel them, or
 * let them expire. For each item `available + reserved + sold = total` at every instant (with a backorder cap
 * `total + backordered`), and a reservation is resolved at most once, whoever tries.
 *
 * Time is monotonic. A reservation never expires before its deadline; from then on it can no longer be confirmed. The
 * memory is reserved at creation and never grows (see the option `commit`). It lives as long as some thread holds it.
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

  /** Only what was made here, whatever its prototype says. */
  static [Symbol.hasInstance](value: unknown): value is Stock {
    return typeof value === 'object' && value !== null && #native in value;
  }

  /**
   * A new ledger.
   *
   * @param options The items, and what else `StockOptions` lists.
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
   * The ledger of another thread, by its handle.
   *
   * @param handle The `handle` of the ledger.
   * @returns This thread's object for the same ledger.
   * @throws SluiceError `ERR_SLUICE_HANDLE`, `ERR_SLUICE_THREADS`.
   * @example
   * const stock = Stock.attach(workerData.stock);
   */
  static attach(handle: StockHandle): Stock {
    return attachStock(checkedHandle('Stock.attach', 'stock', handle));
  }

  /**
   * A new ledger that gives the same answers as the one of which `snapshot` was taken: the same counts, reservations
   * (those held go on for as long as they had left when the snapshot was taken), users' units and ids. Its operation
   * counters and movements begin anew. Its tables can have other sizes.
   *
   * @param snapshot What `snapshot()` returned.
   * @param options Sizes of tables, the clock, and what else `RestoreOptions` lists.
   * @returns The ledger.
   * @throws SluiceError (`ERR_SLUICE_SNAPSHOT`) with the reason if it is damaged, of another version or no snapshot;
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
    attachStock = Stock.#attach;
    stageLines = (stock, lines) => {
      stock.#staging.begin();
      stock.#staging.cart(lines);
    };
  }

  static #attach(this: void, handle: NativeHandle): Stock {
    return new Stock(maker, (staging) => made('Stock.attach', native.attachStock(handle, staging)));
  }

  /** Names the ledger to other threads: survives structured clone (`workerData`, `postMessage`). */
  get handle(): StockHandle {
    return this.#attachment.handle;
  }

  /**
   * Reserves `quantity` units for `user`, or changes nothing and says why. With an `id`, a retry gets the answer of
   * the first call: the same reservation, with its state and what is left of its hold now, or 'already-failed'. Only
   * 'sold-out', 'user-limit' and 'item-closed' are remembered as failures; after the other refusals the same id may be
   * tried again. An id that a gate admitted is refused as 'admitted-by-gate': its order is decided by whoever consumes
   * the gate's queue.
   *
   * What is refused for want of units, of room in a table or by the user's limit looks at holds that are over first:
   * they expire, and the request is tried again. One call looks at no more than some hundred; where more are over, its
   * refusal is not remembered for the id.
   *
   * @param request The item, its quantity, and for whom.
   * @returns The reservation, or why there is none.
   * @throws TypeError, RangeError (`ERR_SLUICE_OPTION`) naming a bad or unknown option.
   * @example
   * const answer = stock.reserve({ sku: 7, quantity: 1, user: 42, id: 'order-1' });
   * if (answer.ok) stock.confirm(answer.reservation);
   */
  reserve(request: ReserveOptions): Reserved | Refused {
    return reserveItem(this.#native, this.#staging, request);
  }

  /**
   * Reserves all lines (1 to 64) under one reservation, or changes nothing and says why. Lines of the same item are
   * added up first; their sum is at most 4,294,967,295. The id's body is the sums, in any order, and the user.
   *
   * While a cart fails for want of its later lines, for some tens of nanoseconds other threads may find the units of
   * its earlier ones taken; a reservation of one item never has that effect.
   *
   * @param lines 1 to 64 items with their quantities.
   * @param options `user`, `id` and `holdMs`.
   * @returns The reservation, or why there is none.
   * @throws TypeError, RangeError (`ERR_SLUICE_OPTION`) naming a bad or unknown option.
   * @example
   * const answer = stock.reserveAll([{ sku: 7, quantity: 1 }, { sku: 8, quantity: 2 }], { user: 42 });
   */
  reserveAll(lines: readonly CartLine[], options?: CartOptions): Reserved | Refused {
    return reserveCart(this.#native, this.#staging, lines, options);
  }

  /**
   * Sells what the reservation holds, or a part of it: `quantity` units of a reservation of one item, or `lines`. The
   * rest is on sale again, or stays held with `rest: 'hold'`, so that a shipment in two parts is two calls. The whole,
   * or the last part, is 'confirmed' for exactly one caller, and each unit by one. A reservation is the bigint, or the
   * decimal string that its JSON is.
   *
   * @param reservation The bigint of the reservation, or the decimal string that its JSON is.
   * @param options Which part, and what becomes of the rest. Default: all of it.
   * @returns 'confirmed', or what it had become before.
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
   * Puts what the reservation holds back on sale, or a part of it as `confirm` does; the rest then stays held. The
   * whole, or the last part, is 'cancelled' for exactly one caller, and each unit by one. What was confirmed of it
   * stays sold: see `return`.
   *
   * @param reservation The bigint of the reservation, or the decimal string that its JSON is.
   * @param options Which part. Default: all of it.
   * @returns 'cancelled', or what it had become before.
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
   * Holds another quantity: `quantity` units of a reservation of one item, or `lines` for items of the reservation. The
   * bigint, the deadline and what was confirmed of it stay as they are. More units are reserved as `reserve` does, less
   * go back on sale and out of the user's count; all of it is done, or nothing. `lines` name items that the reservation
   * has, or had; 0 takes one out of it.
   *
   * A reservation without a user gets no more of an item that has a limit per user by now ('user-limit'). What goes up
   * is taken before the rest is put back, so that a refusal changes nothing: to exchange items within a limit that they
   * share, take some back first. More units take a place of the table for a moment, also if they need none afterwards.
   *
   * The body of the client's id stays what it was at first: a repetition of that request gets this reservation.
   *
   * @param reservation The bigint of the reservation, or the decimal string that its JSON is.
   * @param options `quantity` of a reservation of one item, or `lines`.
   * @returns 'changed', or why not.
   * @throws TypeError, RangeError (`ERR_SLUICE_OPTION`), also if nothing would be left (`cancel` ends a reservation),
   *   and for an item that is not in it; nothing is changed then.
   * @example
   * stock.change(reservation, { quantity: 3 });
   */
  change(reservation: bigint | string, options: ChangeOptions): ChangeResolution {
    return changeHeld(this.#native, this.#staging, reservation, options);
  }

  /**
   * Puts units that were bought with a reservation back on sale, and takes them out of their user's count: all that
   * was bought and not returned, `quantity` units of a reservation of one item, or `lines`. All of it or nothing; each
   * unit is returned once. Possible until the reservation's place in the table is used again ('unknown'): places are
   * used again in the order in which they became free.
   *
   * The second form does not depend on that: units of an item that a user has bought, whatever the reservation. What
   * it returns can no longer be returned by its reservation, and the other way round. Of an item that never had a limit
   * per user the ledger does not know who bought, and looks only whether as many are sold.
   *
   * @param reservation The bigint of the reservation, or the decimal string that its JSON is.
   * @param options Which part. Default: all that was bought and not returned.
   * @param units The item, the user and the quantity.
   * @returns 'returned', or why not.
   * @throws TypeError, RangeError (`ERR_SLUICE_OPTION`), also for a quantity that is more than what was bought with the
   *   reservation and not returned, and for an item that is not in it, or not there; nothing is changed then.
   * @example
   * stock.return(reservation, { quantity: 1 });
   * stock.return({ sku: 7, user: 42, quantity: 1 });
   */
  return(reservation: bigint | string, options?: PartOptions): ReturnResolution;
  return(units: BoughtUnits): ReturnResolution;
  return(given: bigint | string | BoughtUnits, options?: PartOptions): ReturnResolution {
    return typeof given === 'object' && given !== null && options === undefined
      ? this.#parts.giveBackOf(given)
      : this.#parts.giveBack(given, options);
  }

  /**
   * What the ledger knows of a reservation: by its bigint, or by the client's id for as long as that is remembered;
   * undefined if nothing. By user: all that are in the table, in the order of their places, as `reservations` lists
   * them. Ended ones are known until their place is used again.
   *
   * @param by One of `reservation`, `id` and `user`.
   * @returns What is known of it; of a user a list.
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
   * The reservations in the table, held or ended and not yet overwritten, in the order of their places: those that were
   * there all the time are listed once, each as it was at an instant of the iteration. For operators: it looks at the
   * whole table, some thousand places for each native call, about a millisecond for each 65,536, and keeps nobody from
   * anything. Iterate with pauses of your own, or in pages with `limit` and `after`, if the table is large.
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
   * Holds the reservation for at least `ms` milliseconds (1 to 86,400,000) from now; never for less than before.
   * 'extended', or what it has become.
   *
   * @param reservation The bigint of the reservation, or the decimal string that its JSON is.
   * @param ms Milliseconds from now: 1 to 86,400,000.
   * @returns 'extended', or what it has become.
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
   * Expires every reservation that is due, and returns how many there were. This also happens by itself, unless the
   * clock is a manual one: an unreferenced timer of each attached thread does it every 100 ms, and so does now and then
   * a thread that reserves. On either clock a reservation also expires when a call would resolve or change it, and when
   * it stands in the way of a request: see `reserve`.
   *
   * @returns How many reservations expired.
   * @throws SluiceError `ERR_SLUICE_DISPOSED` once this thread has let go of it.
   * @example
   * clock.advance(30_000);
   * stock.expire();
   */
  expire(): number {
    return checkedAnswer(what, this.#native.expire());
  }

  /**
   * Puts an item on sale: 'added', 'sku-exists', 'items-full' if `maxItems` and their shards are there, or 'group-full'
   * if its group has 64 items.
   *
   * @param item The item.
   * @returns What became of it.
   * @throws TypeError, RangeError (`ERR_SLUICE_OPTION`), also for a group that is not there.
   * @example
   * stock.addItem({ sku: 9, quantity: 500 });
   */
  addItem(item: StockItem): 'added' | 'sku-exists' | 'items-full' | 'group-full' {
    const where = 'Stock.addItem';
    return this.#items.add(where, checkedItem(where, item));
  }

  /**
   * Makes a group, for items that are added to it later: 'added', 'group-exists', or 'groups-full' if there are 64.
   *
   * @param group Its name and its limit per user.
   * @returns What became of it.
   * @throws TypeError, RangeError (`ERR_SLUICE_OPTION`).
   * @example
   * stock.addGroup({ name: 'consoles', perUser: 1 });
   */
  addGroup(group: StockGroup): 'added' | 'group-exists' | 'groups-full' {
    return this.#items.addGroup(checkedGroup('Stock.addGroup', group));
  }

  /**
   * Changes the limit per user of a group (1 to 4,294,967,295). A user who has more keeps it, and gets no more. False
   * if there is no such group.
   *
   * @param name The group.
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
   * Ends the sale of an item: nothing more of it is reserved ('item-closed') until `reopenItem`; what is held can still
   * be confirmed. False if there is no such item.
   *
   * @param sku The item: a whole number from 0 to 2^53 - 1, or a text of 1 to 32 bytes of UTF-8.
   * @returns Whether there is such an item.
   * @throws TypeError, RangeError (`ERR_SLUICE_OPTION`).
   * @example
   * stock.closeItem(7);
   */
  closeItem(sku: number | string): boolean {
    return this.#items.close(sku);
  }

  /**
   * Goes on with the sale of an item that was closed; one that is not closed stays as it is. An id that was told
   * 'item-closed' stays refused. False if there is no such item.
   *
   * @param sku The item: a whole number from 0 to 2^53 - 1, or a text of 1 to 32 bytes of UTF-8.
   * @returns Whether there is such an item.
   * @throws TypeError, RangeError (`ERR_SLUICE_OPTION`).
   * @example
   * stock.reopenItem(7);
   */
  reopenItem(sku: number | string): boolean {
    return this.#items.reopen(sku);
  }

  /**
   * Changes an item for all threads; what is left out stays. A user who has more than a lower `perUser` keeps it, and
   * gets no more.
   *
   * An item that never had a limit counts its users from its first one on: units that are held or sold by then count
   * for no user. Other threads' operations wait, some nanoseconds for each thread, while that begins. A limit that is
   * taken away (`perUser: null`) leaves the units of which users are known counted, should it come back.
   *
   * `backorder` lets that many units be reserved and sold beyond the total: `counts().backordered` tells how many are.
   * Units that come later (`restock`, `setTotal`, a cancellation) fill these first. A cap cannot be lower than what is
   * backordered: then the answer is 'units-taken' and nothing is changed, or with `clamp: true` the cap becomes as low
   * as it can be, so that nothing more is backordered. No movement tells a change of the cap.
   *
   * @param sku The item: a whole number from 0 to 2^53 - 1, or a text of 1 to 32 bytes of UTF-8.
   * @param changes `perUser` and `backorder`; what is left out stays.
   * @param options `clamp`: make the cap as low as it can be, instead of refusing.
   * @returns 'changed' with the counts, or 'units-taken'.
   * @throws TypeError, RangeError (`ERR_SLUICE_OPTION`), also if there is no such item, or the total and `backorder`
   *   would exceed 4,294,967,295; nothing is changed then.
   * @example
   * stock.changeItem(7, { perUser: 1 });
   */
  changeItem(
    sku: number | string,
    changes: ItemChanges,
    options?: { readonly clamp?: boolean },
  ): ItemChanged {
    return this.#items.change(sku, changes, options);
  }

  /**
   * Changes the ledger for all threads; what is left out stays. `holdMs` (1 to 86,400,000) is for reservations to come:
   * those that are held stay so for as long as they were told.
   *
   * @param changes What is to change.
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
   * Puts `quantity` more units (1 to 4,294,967,295) of an item on sale. Returns its counts.
   *
   * @param sku The item: a whole number from 0 to 2^53 - 1, or a text of 1 to 32 bytes of UTF-8.
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
   * Takes up to `quantity` units (1 to 4,294,967,295) of an item off sale: only what is available, never what is held,
   * sold or could still be backordered. Returns how many.
   *
   * @param sku The item: a whole number from 0 to 2^53 - 1, or a text of 1 to 32 bytes of UTF-8.
   * @param quantity Units: 1 to 4,294,967,295.
   * @returns How many were taken off sale.
   * @throws TypeError, RangeError (`ERR_SLUICE_OPTION`), also if
   * there is no such item.
   * @example
   * const taken = stock.withdraw(7, 100);
   */
  withdraw(sku: number | string, quantity: number): number {
    return this.#items.withdraw(sku, quantity);
  }

  /**
   * Makes the total of an item `total` (0 to 4,294,967,295), whatever it was: what is available becomes more or less.
   * `total` counts what is reserved and sold too, so it cannot be less than these but for what can be backordered: then
   * the answer is 'units-taken' and nothing is changed, or with `clamp: true` the total becomes as low as it can be.
   * Movements tell the difference, as 'restocked' or 'withdrawn'.
   *
   * @param sku The item: a whole number from 0 to 2^53 - 1, or a text of 1 to 32 bytes of UTF-8.
   * @param total 0 to 4,294,967,295.
   * @param options `clamp`: make the total as low as it can be, instead of refusing.
   * @returns 'changed' with the counts, or 'units-taken'.
   * @throws TypeError, RangeError (`ERR_SLUICE_OPTION`), also if there is no such item, or `total` and its backorder
   *   cap exceed 4,294,967,295; nothing is changed then.
   * @example
   * stock.setTotal(7, 250);
   */
  setTotal(sku: number | string, total: number, options?: { readonly clamp?: boolean }): ItemChanged {
    return this.#items.setTotal(sku, total, options);
  }

  /**
   * The units of one item now.
   *
   * @param sku The item: a whole number from 0 to 2^53 - 1, or a text of 1 to 32 bytes of UTF-8.
   * @returns The counts.
   * @throws RangeError (`ERR_SLUICE_OPTION`) if there is no such item.
   * @example
   * const { available } = stock.counts(7);
   */
  counts(sku: number | string): StockCounts {
    return this.#items.counts(sku);
  }

  /**
   * Every change of stock, oldest first, as far as the ledger keeps them (see the option `movements`), then those to
   * come; it ends when the ledger is disposed of in this thread. A reader that is too slow misses the oldest, and is
   * told how many: `{ kind: 'lost', count }`. Any number can read; none of them slows those who sell. New movements are
   * looked for every 10 ms, which does not keep the process alive.
   *
   * `from`: the position to begin at, to go on where an earlier reader of this ledger ended: at most that of the next
   * movement (those of a restored ledger begin anew). When `signal` aborts, the iteration throws its reason.
   *
   * @param options `from`, a position; and `signal`.
   * @returns An asynchronous iterator over the movements.
   * @throws TypeError, RangeError (`ERR_SLUICE_OPTION`), also if the ledger was created with `movements: 0`.
   * @example
   * for await (const movement of stock.movements()) await log.append(movement);
   */
  movements(options?: {
    readonly from?: number;
    readonly signal?: AbortSignal;
  }): AsyncGenerator<Movement | LostMovements, void, undefined> {
    return readMovements(this.#native, options);
  }

  /**
   * Recomputes every count from the reservations and the users' entries. Operations of other threads wait while it
   * reads: some nanoseconds per reservation and user that the ledger has room for.
   *
   * @returns What was counted.
   * @throws SluiceError (`ERR_SLUICE_AUDIT`) on a mismatch, (`ERR_SLUICE_MEMORY`) if there is no memory for it.
   * @example
   * setInterval(() => stock.audit(), 60_000).unref();
   */
  audit(): AuditReport {
    return audited(this.#native, this.#staging);
  }

  /**
   * The whole ledger as bytes, as it was at one instant, for `Stock.restore`: of this version of sluice, on any machine
   * with the same byte order. Operations of other threads wait while it is taken: some nanoseconds per reservation,
   * user and id that the ledger has room for.
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
   * Operations since creation, over all threads.
   *
   * @returns The counters: see `StockStats`.
   * @throws SluiceError `ERR_SLUICE_DISPOSED` once this thread has let go of it.
   * @example
   * const { confirmed, expired } = stock.stats();
   */
  stats(): StockStats {
    return statsOf(what, this.#native, this.#staging);
  }

  /** Lets go of the ledger in this thread, at once. Other threads keep it. */
  [Symbol.dispose](): void {
    clearInterval(this.#sweeper);
    this.#attachment.dispose();
  }

  #stageReservation(method: string, reservation: unknown): void {
    this.#staging.reservation = checkedReservation(`Stock.${method}: reservation`, reservation);
  }
}
isOurs(Stock);
