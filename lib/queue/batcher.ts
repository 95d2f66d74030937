import { CLOSED, DISPOSED, disposed, type NativeQueue } from '../native.js';
import type { Codec, RecordType } from '../record/index.js';
import { closed } from './waiters.js';

/** Words at the front of a batch's buffer: see native/addon/queue.h. */
const header = { count: 0, permits: 1, bytes: 8 };

/**
 * Gathers the records of one turn of the event loop and publishes them together: when `max` are gathered, on
 * `flush`, and at the end of the turn. A record is accepted only on room taken ahead, so what was accepted is not
 * refused later; if the thread ends first, its clean-up publishes it.
 */
export class Batcher<T> implements Disposable {
  readonly #native: NativeQueue;
  readonly #batch: number;
  readonly #header: Uint32Array;
  readonly #codec: Codec<T>;
  readonly #bytes: number;
  readonly #onRefused: (value: T) => void;
  #immediate: NodeJS.Immediate | undefined;
  #permits = 0;
  #count = 0;

  /** @internal */
  constructor(native: NativeQueue, record: RecordType<T>, lane: number, max: number, onRefused: (value: T) => void) {
    const buffer = new ArrayBuffer(header.bytes + max * record.bytes);
    this.#native = native;
    this.#header = new Uint32Array(buffer, 0, 2);
    this.#codec = record.codec(buffer);
    this.#bytes = record.bytes;
    this.#onRefused = onRefused;
    this.#batch = native.openBatch(buffer, lane);
    if (this.#batch === DISPOSED) throw disposed('Queue');
  }

  /** Records gathered and not yet published. */
  get size(): number {
    return this.#count;
  }

  /**
   * Gathers a record. False if the queue has no room for it.
   * @throws TypeError, RangeError (`ERR_SLUICE_FIELD`) naming a field with a bad value; SluiceError
   *   `ERR_SLUICE_CLOSED` if the queue is closed.
   */
  push(value: T): boolean {
    if (this.#count === this.#permits && !this.#takeRoom()) {
      this.#onRefused(value);
      return false;
    }
    this.#codec.encode(value, header.bytes + this.#count * this.#bytes);
    this.#header[header.count] = ++this.#count;
    if (this.#count === this.#permits) this.flush();
    return true;
  }

  /** Publishes what is gathered, now. Returns how many records. */
  flush(): number {
    clearImmediate(this.#immediate);
    this.#immediate = undefined;
    const count = this.#native.flushBatch(this.#batch);
    this.#count = 0;
    this.#permits = 0;
    return Math.max(0, count);
  }

  /** As `flush`. */
  [Symbol.dispose](): void {
    this.flush();
  }

  #takeRoom(): boolean {
    const permits = this.#native.fillBatch(this.#batch);
    if (permits === CLOSED) throw closed();
    if (permits === DISPOSED) throw disposed('Queue');
    this.#permits = permits;
    if (permits === 0) return false;
    this.#immediate = setImmediate(() => this.flush());
    return true;
  }
}
