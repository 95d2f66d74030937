/**
 * The interface between a queue and a layer behind its ring, which keeps records that the ring should not or cannot
 * take. lib/overflow has the one layer that there is.
 */
import type { RecordType } from '../record/index.js';
import type { Permit } from './permit.js';

/** What a layer may use of its queue object. All of it concerns the ring only. */
export interface LayeredQueue<T> {
  readonly record: RecordType<T>;
  readonly lanes: number;
  readonly capacity: number;
  /** The most callers that may wait for the layer at a time. */
  readonly maxWaiting: number;
  /** How many records of the lane were claimed since creation, by any thread. */
  claimed(lane: number): number;
  /**
   * How many records have left the lane since creation. A record that this thread has pushed has left it once `gone` is
   * at least what `claimed` was after the push.
   */
  gone(lane: number): number;
  /** Waits for room for `count` records. */
  reserve(count: number, lane: number, signal: AbortSignal): Promise<Permit<T>>;
}

/** How a gate lets a layer keep its orders. */
export interface LayeredGate<T> {
  /** Whether the gate's limiter has keys. */
  readonly keyed: boolean;
  /** Pushes an order that was admitted aside, with the bytes that describe it. Returns false if there is no room. */
  push(order: T, aside: Uint8Array): boolean;
  /** Whether an order that has left the queue is decided, or its hold is over. */
  isDecided(reservation: bigint): boolean;
  /** Admits an order that an earlier process has admitted. `key`: of its limit, if the limiter has keys. */
  readmit(order: T, key: unknown): Readmission;
}

/** What becomes of an order that an earlier process has admitted. */
export type Readmission =
  /** It is in the queue: now, or it was before, under the same id. */
  | { readonly is: 'queued'; readonly reservation: bigint }
  /** It was decided before, as a restored stock says. */
  | { readonly is: 'decided' }
  /** A limit or the queue has no room for it now. */
  | { readonly is: 'postponed'; readonly retryAfterMs: number }
  | { readonly is: 'refused'; readonly outcome: string };

/** Records that a handler has and that are in the layer, too. */
export interface Held {
  /** How often earlier processes took them from the layer; the most of them. */
  readonly earlier: number;
  /** To be called when they are handled: then they leave the layer. */
  ended(): void;
}

/** A layer, as its queue object uses it. */
export interface OverflowLayer<T> {
  /**
   * How many lanes have records in the layer that are not in the ring yet: later records of this object follow them.
   * All lanes, as long as it is not known.
   */
  readonly holding: number;
  holds(lane: number): boolean;
  /** Whether it can keep no more records, or no more callers may wait for it. */
  readonly isFull: boolean;
  /** Resolves when it can keep records; rejects if it cannot be opened. */
  readonly opened: Promise<void>;
  /** Whether a record for `lane` should go to the layer now, though the ring may have room for it. */
  wants(lane: number): boolean;
  /**
   * Keeps a record. The value is copied at the call.
   *
   * @returns A promise that is resolved when the record is durable.
   * @throws at once if it is full (`ERR_SLUICE_FULL`, `ERR_SLUICE_WAITERS`), has ended, or could not be opened.
   */
  store(value: T, lane: number, aside: Uint8Array | undefined): Promise<void>;
  /** Resolves when the lane has no records in the layer. */
  emptied(lane: number, signal: AbortSignal | undefined): Promise<void>;
  /**
   * Calls `take`, which takes records for a handler. The layer keeps those that it has until `held.ended` is called.
   * `held` is undefined if it has none of them.
   */
  taking<Batch>(take: () => Batch): { readonly batch: Batch; readonly held: Held | undefined };
  /**
   * Returns how often earlier processes took an order of a gate from the layer; undefined if it is not in the layer.
   */
  earlier(reservation: bigint): number | undefined;
  /** Called once, by the gate over the queue that was made in this thread. */
  join(gate: LayeredGate<T>): void;
  /** Called when the queue object is disposed of. */
  end(): void;
}

/** Makes the layer of one queue. The value of the option `overflow`, where it is no text. */
export abstract class OverflowPlan<T> {
  /** @internal */
  abstract begin(queue: LayeredQueue<T>): OverflowLayer<T>;
}

/**
 * Returns `take` and `handle` such that the layer, if there is one, knows which batches are being handled.
 */
export function handedBy<Batch extends { readonly length: number }, Context>(
  layer: Pick<OverflowLayer<never>, 'taking'> | undefined,
  take: () => Batch,
  handle: (batch: Batch, context: Context) => unknown,
): { take: () => Batch; handle: (batch: Batch, context: Context) => unknown } {
  if (layer === undefined) return { take, handle };
  const handed = new Map<Batch, Held>();
  return {
    take: () => {
      const { batch, held } = layer.taking(take);
      if (batch.length === 0) held?.ended();
      else if (held !== undefined) handed.set(batch, held);
      return batch;
    },
    handle: async (batch, context) => {
      try {
        await handle(batch, context);
      } finally {
        handed.get(batch)?.ended();
        handed.delete(batch);
      }
    },
  };
}
