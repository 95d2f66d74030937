import {
  ELSEWHERE,
  faceAnswers,
  type HotCalls,
  type NativeQueue,
  type QueueFace,
  type QueueStaging,
} from '../binding/index.js';
import { isRecordError, listedError, SluiceError } from '../input/index.js';
import { type Codec, codecOf, type RecordType } from '../record/index.js';

/**
 * The way into a queue for one queue object: where records to push are staged, and the calls that push them. The calls
 * return answers of native code: a producer makes results and errors of them.
 */
export class Inlet<T> {
  readonly #native: NativeQueue;
  readonly #calls: HotCalls;
  /** Undefined: only native functions push to this queue. */
  readonly #face: QueueFace | undefined;
  readonly #codec: Codec<T>;
  /** Where the first record is staged, and how many bytes later the next one is. */
  readonly #at: number;
  readonly #apart: number;
  #listing = false;

  constructor(native: NativeQueue, calls: HotCalls, record: RecordType<T>, staging: QueueStaging) {
    this.#native = native;
    this.#calls = calls;
    this.#face = calls.face;
    this.#codec = codecOf(record, staging.buffer, staging.in);
    this.#at = staging.in;
    this.#apart = staging.inApart;
  }

  get codec(): Codec<T> {
    return this.#codec;
  }

  stage(value: T): void {
    this.#codec.encode(value);
  }

  /** Returns the value that was staged last. */
  staged(): T {
    return this.#codec.decode(this.#at);
  }

  /** Returns the answer of the native `push`, for an answer of `HotCalls.push` that is neither undefined nor 0. */
  pushedOtherwise(answer: number): number | undefined {
    if (answer === ELSEWHERE) return this.#native.push();
    if (answer !== faceAnswers.done + faceAnswers.thenRing) return answer;
    this.#native.ring();
    return undefined;
  }

  /**
   * Pushes the record that was staged last to lane 0, with the queue's own time to live. Returns the answer of the
   * native `pushTo`: a record that finds no room does not count as rejected, because its caller may wait.
   */
  pushStaged(): number | undefined {
    const { cell, low, high } = this.#calls;
    const pushed =
      this.#face === undefined ? ELSEWHERE : this.#face.pushMany(cell, low, high, 1, faceAnswers.mayWait);
    if (pushed === 1) return undefined;
    if (pushed === ELSEWHERE) return this.#native.pushTo(0, 0, 1);
    this.#native.ring();
    return undefined;
  }

  /** Pushes `count` staged records. Returns the answer of the native `pushMany`. */
  pushMany(count: number, lane: number, hasTtl: number, more: number): number {
    const { cell, low, high } = this.#calls;
    const pushed =
      this.#face === undefined || lane !== 0 ? ELSEWHERE : this.#face.pushMany(cell, low, high, count, more);
    if (pushed === ELSEWHERE) return this.#native.pushMany(count, lane, hasTtl, more);
    if (pushed < faceAnswers.thenRing) return pushed;
    this.#native.ring();
    return pushed - faceAnswers.thenRing;
  }

  /**
   * Encodes `count` values of `list`, from index `first` on. Getters of the values may push single records, which use
   * the first place of the buffer: so the value for that place is encoded last.
   */
  stageMany(list: readonly T[], first: number, count: number): void {
    this.#beginListing();
    try {
      this.#codec.encodeMany(list, first, count, this.#at, this.#apart);
    } finally {
      this.#listing = false;
    }
  }

  /** Throws if a value of `list` cannot be encoded. */
  checkAll(list: readonly T[]): void {
    this.#beginListing();
    try {
      for (const value of list) this.stage(value);
    } finally {
      this.#listing = false;
    }
  }

  #beginListing(): void {
    if (this.#listing) {
      throw new SluiceError(
        'ERR_SLUICE_REENTRANT',
        'Queue.tryPushMany: called from within a getter of its own list',
      );
    }
    this.#listing = true;
  }

  /**
   * Returns the error of a bad record of `list` with the index of the first bad one, and any other error as it is. The
   * records are encoded once more to find the index: an encoder that counts would make every good list slower.
   */
  listed(error: unknown, list: readonly T[]): unknown {
    if (!isRecordError(error)) return error;
    for (const [index, value] of list.entries()) {
      try {
        this.stage(value);
      } catch (again) {
        return isRecordError(again) ? listedError(again, index) : error;
      }
    }
    return error;
  }
}
