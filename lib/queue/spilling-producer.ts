import type { HotCalls, NativeQueue, QueueStaging } from '../binding/index.js';
import { Options, optionError } from '../input/index.js';
import type { RecordType } from '../record/index.js';
import type { Batcher } from './batcher.js';
import type { Events } from './events.js';
import type { LayeredQueue, OverflowLayer, OverflowPlan } from './layer.js';
import { checkedWait, type PushOptions, type WaitOptions } from './options.js';
import type { Permit } from './permit.js';
import { Producer } from './producer.js';
import { closed } from './room-waits.js';

type ReserveOptions = { readonly lane?: number } & WaitOptions;

/**
 * The producer of a queue object with a layer behind the ring. While a lane has records in the layer, no record of this
 * object overtakes them: `push` follows them into the layer, and what cannot wait for the layer finds no room.
 */
export class SpillingProducer<T> extends Producer<T> {
  readonly layer: OverflowLayer<T>;
  readonly #ring: NativeQueue;
  readonly #reports: Events<T>;

  constructor(
    native: NativeQueue,
    calls: HotCalls,
    record: RecordType<T>,
    staging: QueueStaging,
    events: Events<T>,
    plan: { readonly layer: OverflowPlan<T>; readonly maxWaiting: number },
  ) {
    super(native, calls, record, staging, events, undefined);
    this.#ring = native;
    this.#reports = events;
    const queue: LayeredQueue<T> = {
      record,
      lanes: native.lanes,
      capacity: native.capacity,
      maxWaiting: plan.maxWaiting,
      claimed: (lane) => native.claimed(lane),
      gone: (lane) => native.gone(lane),
      reserve: (count, lane, signal) => super.reserve(count, { lane, signal }),
    };
    this.layer = plan.layer.begin(queue);
  }

  override tryPush(value: T, options: PushOptions | undefined): boolean {
    if (this.layer.holding === 0 || !this.#holds('Queue.tryPush', options)) {
      return super.tryPush(value, options);
    }
    this.stage(value); // throws for a bad record
    return this.#full(options);
  }

  override tryPushMany(list: readonly T[], options: PushOptions | undefined): number {
    if (this.layer.holding === 0 || !this.#holds('Queue.tryPushMany', options)) {
      return super.tryPushMany(list, options);
    }
    this.#full(options);
    return 0;
  }

  override async push(value: T, options: (PushOptions & WaitOptions) | undefined): Promise<void> {
    if (options !== undefined) return this.#pushBy(value, options);
    if (!this.layer.wants(0)) {
      this.stage(value);
      if (this.pushStaged() === undefined) return;
    }
    await this.#spill(value, 0);
  }

  async #pushBy(value: T, options: PushOptions & WaitOptions): Promise<void> {
    const lane = this.#laneToPush(options);
    if (!this.layer.wants(lane)) {
      this.stage(value);
      if (this.#ring.pushTo(lane, 0, 1) === undefined) return;
    }
    await this.#spill(value, lane);
  }

  #spill(value: T, lane: number): Promise<void> {
    if (this.#ring.closed() === 1) throw closed();
    return this.layer.store(value, lane, undefined);
  }

  /** The event loop of this thread moves records from the layer to the ring: it must not be blocked for that. */
  override pushSync(value: T, timeoutMs: number, options: PushOptions | undefined): boolean {
    return this.layer.holding === 0 || !this.#holds('Queue.pushSync', options)
      ? super.pushSync(value, timeoutMs, options)
      : this.#full(options);
  }

  override tryReserve(count: number, lane: number | undefined): Permit<T> | undefined {
    return this.layer.holding === 0 || !this.layer.holds(lane ?? 0)
      ? super.tryReserve(count, lane)
      : undefined;
  }

  override async reserve(count: number, options: ReserveOptions | undefined): Promise<Permit<T>> {
    const given = new Options('Queue.reserve', options, ['lane', 'timeoutMs', 'signal']);
    const lane = given.integer('lane', 0, this.#ring.lanes - 1, 0);
    await this.layer.emptied(lane, checkedWait(given).signal);
    return super.reserve(count, options);
  }

  override batcher(options: { readonly max?: number; readonly lane?: number } | undefined): Batcher<T> {
    throw optionError(
      'Queue.batcher',
      'a queue without spill(): a batcher waits for no store',
      options,
      true,
    );
  }

  override dispose(): void {
    super.dispose();
    this.layer.end();
  }

  #laneToPush(options: PushOptions & WaitOptions): number {
    const given = new Options('Queue.push', options, ['lane', 'timeoutMs', 'signal']);
    checkedWait(given).signal?.throwIfAborted();
    return given.integer('lane', 0, this.#ring.lanes - 1, 0);
  }

  #holds(where: string, options: PushOptions | undefined): boolean {
    const given = new Options(where, options, ['lane', 'ttlMs']);
    return this.layer.holds(given.integer('lane', 0, this.#ring.lanes - 1, 0));
  }

  #full(options: PushOptions | undefined): false {
    this.#reports.full(options?.lane ?? 0);
    return false;
  }
}
