import { type ManualClock, nativeClock } from '../clock/index.js';
import { optionError, SluiceError } from '../errors.js';
import {
  alive,
  checkedHandle,
  DISPOSED,
  disposed,
  type Handle,
  made,
  type NativeHandle,
  type NativeStock,
  NEEDS_USER,
  native,
  publicHandle,
  type StockCounts,
  type StockStats,
} from '../native.js';
import { Options } from '../options.js';

export type StockHandle = Handle<'stock'>;

export interface StockOptions {
  /**
   * 1 to 65,536 items: `sku` a whole number from 0 to 4,294,967,295, each once; `quantity` units of it on sale (0 to
   * 4,294,967,295); `perUser`, if given, the most that one user can hold or have bought (1 to 4,294,967,295).
   */
  readonly items: ReadonlyArray<{
    readonly sku: number;
    readonly quantity: number;
    readonly perUser?: number;
  }>;
  /** Reservations held at the same time: 1 to 16,777,216. Default: 65,536. One more is refused: 'ledger-full'. */
  readonly maxReservations?: number;
  /**
   * Pairs of a user and an item with a per-user limit: 1 to 67,108,864. Default: 65,536. A user beyond them is
   * refused: 'users-full'.
   */
  readonly maxUsers?: number;
  /**
   * Client ids remembered: 1 to 67,108,864. Default: 65,536. Beyond them those whose reservation is resolved, or
   * that were refused, are forgotten, the oldest of a neighbourhood of 16 first; an id whose neighbours are all
   * still held is refused: 'ids-full'.
   */
  readonly maxIds?: number;
  /** How long a reservation is held before it expires, in milliseconds: 1 to 86,400,000. Default: 30,000. */
  readonly holdMs?: number;
  /** A manual clock for tests; nothing then expires by itself. Default: the machine's monotonic clock. */
  readonly clock?: ManualClock;
}

export interface ReserveOptions {
  readonly sku: number;
  /** 1 to 4,294,967,295. */
  readonly quantity: number;
  /** A whole number from 0 to 2^53 - 1, or a bigint from 0n to 2^64 - 2. Needed where the item has a limit. */
  readonly user?: number | bigint;
  /** As `user`. The same id with the same sku, quantity and user always gets the same answer. */
  readonly id?: number | bigint;
  /** As the option of `Stock.create`, for this reservation. */
  readonly holdMs?: number;
}

export interface Reserved {
  readonly ok: true;
  readonly reservation: bigint;
  /** When it expires unless resolved, in milliseconds from the moment it was made. */
  readonly expiresInMs: number;
  /** Whether an earlier call with this id made it: nothing was reserved now. */
  readonly duplicate: boolean;
}

export type Refusal =
  | 'sold-out'
  | 'user-limit'
  | 'unknown-sku'
  /** `maxReservations` are held. */
  | 'ledger-full'
  /** `maxUsers` are known. */
  | 'users-full'
  /** Every id that this one could displace is still held. */
  | 'ids-full'
  /** The id was used with another body. */
  | 'id-mismatch'
  /** The id was refused before, and stays refused. */
  | 'already-failed'
  /** Another thread is deciding an id of the same neighbourhood; try again. */
  | 'in-progress';

export interface Refused {
  readonly ok: false;
  readonly reason: Refusal;
}

export type Resolution =
  | 'confirmed'
  | 'cancelled'
  | 'already-confirmed'
  | 'already-cancelled'
  | 'expired'
  /** Never given out, or so long ago that its place has been used again. */
  | 'unknown';

export interface AuditReport {
  readonly items: number;
  /** Reservations held at the moment of the audit. */
  readonly held: number;
}

const what = 'Stock';
const u32Max = 0xffff_ffff;
const keyMax = 0xffff_ffff_ffff_fffen;

/** By the numbers of `ReserveResult` in native/core/stock_ledger.h; 0 and 1 are no refusals. */
const refusals: readonly (Refusal | undefined)[] = [
  undefined,
  undefined,
  'sold-out',
  'user-limit',
  'unknown-sku',
  'ledger-full',
  'users-full',
  'ids-full',
  'id-mismatch',
  'already-failed',
  'in-progress',
];
/** By the numbers of `ResolveResult`; 0 is what was asked for. */
const resolutions: readonly Resolution[] = [
  'confirmed',
  'already-confirmed',
  'already-cancelled',
  'expired',
  'unknown',
];

/** Words of the staging buffer: see native/addon/stock.cc. */
const words = { sku: 0, quantity: 1, user: 2, id: 3, holdNs: 4, reservation: 5 };

/** Due reservations expire at the latest this long after their deadline, plus a pass over the table. */
const sweepIntervalMs = 100;
/** Slots looked at per pass: about 0.1 ms. */
const sweepSlots = 65_536;

/** Objects whose handle was read: they stay, so that another thread can attach, until disposed of. */
const pinned = new Set<Stock>();

/**
 * A ledger of items for sale, shared by all threads of the process: reserve units, then confirm or cancel them, or
 * let them expire. For each item `available + reserved + sold = total` at every instant, and a reservation is
 * resolved at most once, whoever tries.
 *
 * Time is monotonic. A reservation never expires before its deadline; from then on it can no longer be confirmed.
 * The memory is taken at creation and never grows. It lives as long as some thread holds it.
 */
export class Stock implements Disposable {
  readonly #native: NativeStock;
  readonly #words: BigUint64Array;
  readonly #halves: Uint32Array;
  readonly #sweeper: NodeJS.Timeout | undefined;

  private constructor(attach: (staging: ArrayBuffer) => NativeStock) {
    const staging = new ArrayBuffer(64);
    this.#words = new BigUint64Array(staging);
    this.#halves = new Uint32Array(staging);
    this.#native = attach(staging);
    if (!this.#native.manualClock) this.#sweeper = sweepRegularly(this.#native);
  }

  /**
   * A new ledger.
   * @throws TypeError, RangeError (`ERR_SLUICE_OPTION`) naming a bad or unknown option;
   *   SluiceError (`ERR_SLUICE_MEMORY`) if the system has no memory to give.
   */
  static create(options: StockOptions): Stock {
    const checked = checkedOptions(options);
    return new Stock((staging) => made('Stock.create', native.createStock(checked, staging)));
  }

  /** The ledger of another thread, by its handle. @throws SluiceError `ERR_SLUICE_HANDLE`, `ERR_SLUICE_THREADS`. */
  static attach(handle: StockHandle): Stock {
    return Stock.attachNative(checkedHandle('Stock.attach', 'stock', handle));
  }

  /** @internal */
  static attachNative(handle: NativeHandle): Stock {
    return new Stock((staging) => made('Stock.attach', native.attachStock(handle, staging)));
  }

  /** Names the ledger to other threads: survives structured clone (`workerData`, `postMessage`). */
  get handle(): StockHandle {
    pinned.add(this);
    return publicHandle('stock', this.#native.handle);
  }

  /**
   * Reserves `quantity` units for `user`, or changes nothing and says why. With an `id`, a retry gets the answer of
   * the first call: the same reservation, or 'already-failed'. Only 'sold-out' and 'user-limit' are remembered as
   * failures; after the other refusals the same id may be tried again.
   * @throws TypeError, RangeError (`ERR_SLUICE_OPTION`) naming a bad or unknown option.
   */
  reserve(request: ReserveOptions): Reserved | Refused {
    const where = 'Stock.reserve';
    const given = new Options(where, request, ['sku', 'quantity', 'user', 'id', 'holdMs']);
    this.#put(words.sku, given.integer('sku', 0, u32Max));
    this.#put(words.quantity, given.integer('quantity', 1, u32Max));
    this.#put(words.user, given.has('user') ? checkedKey(where, 'user', given.get('user')) : 0);
    const hasId = given.has('id');
    this.#put(words.id, hasId ? checkedKey(where, 'id', given.get('id')) : 0);
    const holdMs = given.number('holdMs', 1, 86_400_000, this.#native.holdMs);
    this.#put(words.holdNs, Math.round(holdMs * 1e6));
    const result = this.#checked(this.#native.reserve(hasId ? 1 : 0, given.has('user') ? 1 : 0));
    if (result === NEEDS_USER)
      throw optionError(`${where}: user`, 'a user (the item has a per-user limit)', undefined, true);
    const reason = refusalName(result);
    if (reason !== undefined) return { ok: false, reason };
    const reservation = this.#words[words.reservation] as bigint;
    return { ok: true, reservation, expiresInMs: holdMs, duplicate: result === 1 };
  }

  /** Sells what the reservation holds. 'confirmed' for exactly one caller. @throws TypeError (`ERR_SLUICE_OPTION`). */
  confirm(reservation: bigint, options?: Record<string, never>): Resolution {
    if (options !== undefined) new Options('Stock.confirm', options, []);
    this.#stageReservation('confirm', reservation);
    return resolutionName(this.#checked(this.#native.confirm()), 'confirmed');
  }

  /** Puts the units back on sale. 'cancelled' for exactly one caller. @throws TypeError (`ERR_SLUICE_OPTION`). */
  cancel(reservation: bigint): Resolution {
    this.#stageReservation('cancel', reservation);
    return resolutionName(this.#checked(this.#native.cancel()), 'cancelled');
  }

  /**
   * Expires every reservation that is due, and returns how many there were. This also happens by itself: an
   * unreferenced timer of each attached thread passes over a part of the table every 100 ms, for about 0.1 ms.
   */
  expire(): number {
    return this.#checked(this.#native.sweep(this.#native.slots));
  }

  /** The units of one item now. @throws RangeError (`ERR_SLUICE_OPTION`) if there is no such item. */
  counts(sku: number): StockCounts {
    this.#put(words.sku, new Options('Stock.counts', { sku }, ['sku']).integer('sku', 0, u32Max));
    const counts = alive(what, this.#native.counts());
    if (counts === undefined) throw optionError('Stock.counts: sku', 'the sku of an item', sku, false);
    return counts;
  }

  /**
   * Recomputes every count from the reservations and the users' entries. Operations of other threads wait while it
   * reads: some nanoseconds per reservation and user that the ledger has room for.
   * @throws SluiceError (`ERR_SLUICE_AUDIT`) on a mismatch.
   */
  audit(): AuditReport {
    const report = alive(what, this.#native.audit());
    const { mismatch } = report;
    if (mismatch !== undefined) {
      const { sku, total, available, reserved, sold, reservedFound, usersFound } = mismatch;
      throw new SluiceError(
        'ERR_SLUICE_AUDIT',
        `Stock.audit: sku ${sku}: total ${total}, available ${available}, reserved ${reserved}, sold ${sold}, but its ` +
          `reservations hold ${reservedFound} and its users ${usersFound}`,
      );
    }
    if (report.held + report.free !== report.slots) {
      throw new SluiceError(
        'ERR_SLUICE_AUDIT',
        `Stock.audit: ${report.held} reservations held and ${report.free} free of ${report.slots}`,
      );
    }
    return { items: report.items, held: report.held };
  }

  /** Operations since creation, over all threads. */
  stats(): StockStats {
    return alive(what, this.#native.stats());
  }

  /** Lets go of the ledger in this thread, at once. Other threads keep it. */
  [Symbol.dispose](): void {
    clearInterval(this.#sweeper);
    this.#native.dispose();
    pinned.delete(this);
  }

  /** @internal The native object, for those that build on this ledger. */
  get native(): NativeStock {
    return this.#native;
  }

  #stageReservation(method: string, reservation: unknown): void {
    if (typeof reservation !== 'bigint' || reservation < 0n || reservation > 0xffff_ffff_ffff_ffffn) {
      throw optionError(`Stock.${method}: reservation`, 'the bigint of a reservation', reservation, true);
    }
    this.#words[words.reservation] = reservation;
  }

  /** A whole number to a 64-bit word, without a bigint where it is a number. */
  #put(word: number, value: number | bigint): void {
    if (typeof value === 'bigint') {
      this.#words[word] = value;
    } else {
      this.#halves[word * 2] = value >>> 0;
      this.#halves[word * 2 + 1] = value / 2 ** 32;
    }
  }

  #checked(answer: number): number {
    if (answer === DISPOSED) throw disposed(what);
    return answer;
  }
}

/** The reason for a native ReserveResult; undefined if it is none. */
export function refusalName(result: number): Refusal | undefined {
  return refusals[result];
}

/** The name of a native ResolveResult, where `done` is what was asked for. */
export function resolutionName(result: number, done: 'confirmed' | 'cancelled'): Resolution {
  return result === 0 ? done : (resolutions[result] as Resolution);
}

/** Sweeps until the ledger is disposed of or collected: the timer does not keep it. */
function sweepRegularly(stock: NativeStock): NodeJS.Timeout {
  const reference = new WeakRef(stock);
  const timer = setInterval(() => {
    const alive = reference.deref();
    if (alive === undefined || alive.sweep(sweepSlots) === DISPOSED) clearInterval(timer);
  }, sweepIntervalMs);
  return timer.unref();
}

function checkedKey(where: string, name: string, value: unknown): number | bigint {
  const expected = 'a whole number from 0 to 2^53 - 1 or a bigint from 0n to 2^64 - 2';
  if (typeof value === 'number') {
    if (Number.isSafeInteger(value) && value >= 0) return value;
    throw optionError(`${where}: ${name}`, expected, value, false);
  }
  if (typeof value !== 'bigint') throw optionError(`${where}: ${name}`, expected, value, true);
  if (value >= 0n && value <= keyMax) return value;
  throw optionError(`${where}: ${name}`, expected, value, false);
}

function checkedOptions(options: StockOptions): object {
  const where = 'Stock.create';
  const known = ['items', 'maxReservations', 'maxUsers', 'maxIds', 'holdMs', 'clock'];
  const given = new Options(where, options, known);
  const items = given.get('items');
  if (!Array.isArray(items) || items.length < 1 || items.length > 65_536) {
    throw optionError(`${where}: items`, 'an array of 1 to 65536 items', items, !Array.isArray(items));
  }
  const checkedItems = items.map((item: unknown, i) => {
    const one = new Options(`${where}: items[${i}]`, item, ['sku', 'quantity', 'perUser']);
    return {
      sku: one.integer('sku', 0, u32Max),
      quantity: one.integer('quantity', 0, u32Max),
      perUser: one.has('perUser') ? one.integer('perUser', 1, u32Max) : 0,
    };
  });
  const skus = new Set<number>();
  for (const [i, { sku }] of checkedItems.entries()) {
    if (skus.has(sku))
      throw optionError(`${where}: items[${i}]: sku`, 'a sku that no other item has', sku, false);
    skus.add(sku);
  }
  return {
    items: checkedItems,
    maxReservations: given.integer('maxReservations', 1, 1 << 24, 65_536),
    maxUsers: given.integer('maxUsers', 1, 1 << 26, 65_536),
    maxIds: given.integer('maxIds', 1, 1 << 26, 65_536),
    holdMs: given.number('holdMs', 1, 86_400_000, 30_000),
    clock: nativeClock(where, given.get('clock')),
  };
}
