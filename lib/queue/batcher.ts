import { clearImmediate, setImmediate } from 'node:timers';
import {
  arrays,
  batchStaging,
  CLOSED,
  DISPOSED,
  disposed,
  Finalizer,
  failed,
  Memory,
  type NativeQueue,
} from '../binding/index.js';
import { constructorError, SluiceError } from '../input/index.js';
import { type Codec, codecOf, type RecordType } from '../record/index.js';
import { closed } from './room-waits.js';

/** Offsets in a batch's buffer: of `count` and `permits` in words of 32 bits, and of the records in bytes. */
const header = {
  count: batchStaging.count / 4,
  permits: batchStaging.permits / 4,
  bytes: batchStaging.records,
};

/**
 * Gathers the records of one turn of the event loop and publishes them together: when `max` are gathered or the room
 * reserved for them is used up, on `flush`, and at the end of the turn. A record is accepted only if room is reserved
 * for it, so an accepted record is not refused later. If the thread ends first, its clean-up publishes the record.
 */
export class Batcher<T> implements Disposable {
  readonly #native: NativeQueue;
  readonly #batch: number;
  /**
   * The counts at the front of the buffer. Native code writes them, too: it clears them at a flush, and when the queue
   * object is disposed of.
   */
  readonly #header: Uint32Array;
  readonly #encode: Codec<T>['encodeAt'];
  readonly #bytes: number;
  /** Called with a T: see `#onOverflow` of `Producer`. */
  readonly #onRefused: (value: never) => void;
  #endOfTurn: NodeJS.Immediate | undefined;
  /** True while a record is encoded: its getters must not gather another record in its place. */
  #encoding = false;
  #disposed = false;

  /** @internal */
  constructor(
    native: NativeQueue,
    record: RecordType<T>,
    lane: number,
    max: number,
    onRefused: (value: T) => void,
  ) {
    if (native === undefined) throw constructorError('Batcher', 'batcher() of a queue');
    const buffer = new Memory(header.bytes + max * record.bytes);
    this.#native = native;
    this.#header = new arrays.Uint32Array(buffer, 0, 2);
    this.#encode = codecOf(record, buffer).encodeAt;
    this.#bytes = record.bytes;
    this.#onRefused = onRefused;
    this.#batch = native.openBatch(buffer, lane);
    if (this.#batch < 0) throw failed('Queue.batcher', this.#batch);
    forgotten.register(this, { native, batch: this.#batch }, this);
  }

  /** Records gathered and not yet published. */
  get size(): number {
    return this.#header[header.count] as number;
  }

  /**
   * Gathers a record. Returns false if the queue has no room for it.
   *
   * @param value The record: a value for each field.
   * @returns Whether the record was gathered.
   * @throws TypeError, RangeError (`ERR_SLUICE_FIELD`) naming a field with a bad value; SluiceError `ERR_SLUICE_CLOSED`
   *   if the queue is closed and the room reserved before is used up, `ERR_SLUICE_DISPOSED`; `ERR_SLUICE_REENTRANT`
   *   from within a getter of a record that is being gathered.
   * @example
   * if (!batcher.push(order)) response.writeHead(503).end();
   */
  push(value: T): boolean {
    if (this.#encoding || this.#disposed) throw this.#unusable();
    const words = this.#header;
    if (words[header.count] === words[header.permits] && !this.#takeRoom()) {
      this.#onRefused(value as never);
      return false;
    }
    const count = words[header.count] as number;
    this.#encoding = true;
    try {
      this.#encode(value, header.bytes + count * this.#bytes);
    } finally {
      this.#encoding = false;
    }
    const permits = words[header.permits];
    // A getter of the record may have disposed of the queue.
    if (permits === 0) throw disposed('Queue');
    words[header.count] = count + 1;
    if (count + 1 === permits) this.flush();
    return true;
  }

  /**
   * Publishes the gathered records now. Returns how many.
   *
   * @returns How many records were published.
   * @throws SluiceError `ERR_SLUICE_REENTRANT` from within a getter of a record that is being gathered.
   * @example
   * batcher.flush();
   */
  flush(): number {
    if (this.#encoding) throw this.#unusable();
    if (this.#disposed) return 0;
    return Math.max(0, this.#native.flushBatch(this.#batch));
  }

  /** Publishes the gathered records, and frees the batcher's memory: it gathers no more. */
  [Symbol.dispose](): void {
    if (this.#disposed) return;
    this.flush();
    clearImmediate(this.#endOfTurn);
    this.#disposed = true;
    this.#native.closeBatch(this.#batch);
    forgotten.unregister(this);
  }

  #takeRoom(): boolean {
    const permits = this.#native.fillBatch(this.#batch);
    if (permits === CLOSED) throw closed();
    if (permits === DISPOSED) throw disposed('Queue');
    if (permits === 0) return false;
    this.#endOfTurn ??= setImmediate(() => {
      this.#endOfTurn = undefined;
      // No encoder runs now; one that was cut off by a time-out of node:vm has left this set.
      this.#encoding = false;
      this.flush();
    });
    return true;
  }

  #unusable(): SluiceError {
    if (this.#disposed) return disposed('Batcher');
    return new SluiceError(
      'ERR_SLUICE_REENTRANT',
      'Batcher: called from within a getter of a record that it gathers',
    );
  }
}

/**
 * Closes the native batch of a batcher that was garbage-collected. Such a batcher is empty: while it has records, the
 * flush at the end of the turn keeps it alive.
 */
const forgotten = new Finalizer<{ native: NativeQueue; batch: number }>(({ native, batch }) =>
  native.closeBatch(batch),
);
