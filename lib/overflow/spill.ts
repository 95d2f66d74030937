import { Options, optionError, SluiceError } from '../input/index.js';
import { type LayeredQueue, type OverflowLayer, OverflowPlan } from '../queue/index.js';
import { type Settings, SpillLayer } from './layer.js';
import type { Store } from './store.js';

/** The options of `spill`. */
export interface SpillOptions<T> {
  /** Where the records go: `sqliteStore()`, `lmdbStore()`, `redisStore()`, or another `Store`. One queue can use it. */
  readonly store: Store;
  /**
   * Records go to the store when they would wait longer than this in the ring, in milliseconds: 0 to 60,000. The wait
   * to be expected is the lane's depth divided by the smoothed rate at which it is consumed. Default: 5.
   */
  readonly expectedWaitMs?: number | undefined;
  /**
   * Called with each record that an earlier process has taken from the store and not finished with, before it goes to
   * the ring again. It may have been handled in part, or in full. `deliveries`: how often it was taken, this time
   * included. If the function returns false, the record is not consumed again, and is removed from the store: the
   * function has kept it elsewhere, for example with dead letters. It must not throw. The record is a copy: changes to
   * it have no effect.
   */
  readonly onRedelivered?: ((record: T, deliveries: number) => unknown) | undefined;
  /**
   * Returns the key of an order's limit. It is needed for a queue whose gate has a limiter with keys: after a restart
   * the stored orders are admitted again, and a store keeps no keys.
   */
  readonly keyOf?: ((order: T) => number | bigint | string) | undefined;
}

/** Figures of an overflow. All but the first three are counted since the queue was created. */
export interface SpillStats {
  /** Records in the store: on the way to it, waiting in it, and those in the ring or in hand that came from it. */
  readonly records: number;
  /** Their bytes, as the store's `maxBytes` counts them. */
  readonly bytes: number;
  /** Those of `records` that are not in the ring yet: while there are any, later records of their lane follow them. */
  readonly behind: number;
  /** Records that became durable in the store. */
  readonly appended: number;
  /** Records refused because the store was full. */
  readonly full: number;
  /** Records that an earlier process had taken and not finished with. */
  readonly redelivered: number;
  /** Records whose bytes were damaged in the store; they were not consumed. */
  readonly damaged: number;
  /** Records that were missing in the store. */
  readonly lost: number;
  /** Orders of an earlier process that their gate has refused. */
  readonly refusedOrders: number;
  /** Calls of the store that failed, and were tried again. */
  readonly failures: number;
}

/**
 * A store behind the ring of one queue: see `spill`. Its records survive the end of the process. The next process that
 * creates a queue of the same record with the same store consumes them, before all later records of their lane.
 */
export class Spill<T> extends OverflowPlan<T> implements AsyncDisposable {
  readonly #settings: Settings<T>;
  #layer: SpillLayer<T> | undefined;

  /** @internal */
  constructor(settings: Settings<T>) {
    super();
    this.#settings = settings;
  }

  /** @internal */
  override begin(queue: LayeredQueue<T>): OverflowLayer<T> {
    if (this.#layer !== undefined) {
      throw optionError('Queue.create: overflow', 'a spill() that no other queue has', this, true);
    }
    this.#layer = new SpillLayer(queue, this.#settings);
    return this.#layer;
  }

  /**
   * Waits until the store is open, and it is known what is in it. Until then `tryPush` finds no room. If the store
   * cannot be opened, each push rejects with the same error.
   *
   * @returns A promise that is resolved when the store is open.
   * @throws SluiceError as `Store.open`; `ERR_SLUICE_OPTION` if no queue has been created with this overflow.
   * @example
   * await overflow.opened();
   */
  async opened(): Promise<void> {
    await this.#begun.opened;
  }

  /**
   * Waits until nothing is in the store: everything that was stored is consumed. The wait does not keep the process
   * alive.
   *
   * @param options `signal` ends the wait.
   * @returns A promise that is resolved at such a moment.
   * @throws the signal's reason; SluiceError as `opened`, `ERR_SLUICE_CLOSED` if the overflow ends meanwhile.
   * @example
   * await overflow.emptied();
   * queue.close();
   */
  async emptied(options?: { readonly signal?: AbortSignal }): Promise<void> {
    await this.#begun.allRemoved(new Options('Spill.emptied', options, ['signal']).signal());
  }

  /**
   * Returns figures of the overflow.
   *
   * @returns The figures: see `SpillStats`.
   * @throws SluiceError `ERR_SLUICE_OPTION` if no queue has been created with this overflow.
   * @example
   * const { records, behind } = overflow.stats();
   */
  stats(): SpillStats {
    return this.#begun.stats();
  }

  /**
   * Ends the overflow: appends that run are finished, what was consumed is removed, and the store is closed. Pushes
   * that need the store reject from then on. Disposing of the queue begins this, too. What is left in the store stays
   * there for the next process.
   *
   * @returns A promise that is resolved when the store is closed.
   * @throws Nothing.
   * @example
   * queue[Symbol.dispose]();
   * await overflow.close();
   */
  async close(): Promise<void> {
    await this.#layer?.close();
  }

  /** As `close`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  get #begun(): SpillLayer<T> {
    if (this.#layer !== undefined) return this.#layer;
    throw new SluiceError('ERR_SLUICE_OPTION', 'Spill: no queue has been created with this overflow');
  }
}

/**
 * Makes the overflow of one queue: records that would wait too long in the ring, or find no room there, are kept in a
 * store. `await queue.push(record)` is resolved when the record is in the ring, or durable in the store; what the ring
 * has taken is in memory only. While a lane has records in the store, later ones follow them, so that the records of a
 * lane keep their order.
 *
 * This concerns the queue object that `Queue.create` returns, in its thread. That thread's event loop moves stored
 * records to the ring as room appears. Objects that other threads attach push to the ring only.
 *
 * A record stays in the store until it is consumed: until it has left the ring, and, if `consume` of the same queue
 * object or a dispatcher of it hands it to a handler, until that handler has ended or the dispatcher has finished with
 * it; an order that was admitted by `gate.admitDurably`, until it is decided. A process that is killed before that
 * leaves it for the next one: see `onRedelivered`.
 *
 * @param options The store, and `expectedWaitMs`, `onRedelivered` and `keyOf`.
 * @returns The overflow, for one queue.
 * @throws TypeError, RangeError (`ERR_SLUICE_OPTION`) naming a bad, missing or unknown option.
 * @example
 * const overflow = spill<Order>({ store: sqliteStore('./orders.db') });
 * const queue = Queue.create(Order, { capacity: 65_536, overflow });
 */
export function spill<T>(options: SpillOptions<T>): Spill<T> {
  const where = 'spill';
  const given = new Options(where, options, ['store', 'expectedWaitMs', 'onRedelivered', 'keyOf']);
  const store = given.get('store') as Partial<Store> | null | undefined;
  if (typeof store?.open !== 'function') {
    throw optionError(`${where}: store`, 'a store, such as sqliteStore(path)', store, true);
  }
  const bounds = new Options(`${where}: store`, { maxRecords: store.maxRecords, maxBytes: store.maxBytes }, [
    'maxRecords',
    'maxBytes',
  ]);
  for (const bound of ['maxRecords', 'maxBytes']) bounds.number(bound, 1, Infinity);
  return new Spill<T>({
    store: store as Store,
    expectedWaitMs: given.number('expectedWaitMs', 0, 60_000, 5),
    onRedelivered: given.callback('onRedelivered'),
    keyOf: given.callback('keyOf'),
  });
}
