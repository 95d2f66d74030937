import {
  answers,
  arrays,
  ELSEWHERE,
  faceAnswers,
  failed,
  type HotCalls,
  type NativeQueue,
  NOT_CONSUMER,
  type QueueFace,
  type QueueStaging,
  queueStaging,
  shownAndGone,
  stagedRecords,
} from '../binding/index.js';
import { type Codec, codecOf, type RecordType, type RecordView } from '../record/index.js';
import { notConsumer } from './consume-loop.js';

/** Offsets in the staging buffer, in words of 64 bits. */
const words = {
  dropped: queueStaging.dropped / 8,
  reasons: queueStaging.reasons / 8,
  shownAt: queueStaging.shownAt / 8,
};

/**
 * The way out of a queue for one queue object: the calls that show and take records, and where these records are. The
 * WebAssembly face shows records in their slots; native functions copy them to the staging buffer.
 */
export class Outlet<T> {
  readonly #native: NativeQueue;
  readonly #calls: HotCalls;
  /** Undefined: only native functions take records from this queue. */
  readonly #face: QueueFace | undefined;
  readonly #codec: Codec<T>;
  readonly #bytes: number;
  readonly #staging: QueueStaging;
  readonly #words: Float64Array;
  readonly #octets: Uint8Array;
  /** Makes the view show the record at a place. */
  readonly show: (at: number) => void;
  #at: number;
  #apart: number;

  constructor(native: NativeQueue, calls: HotCalls, record: RecordType<T>, staging: QueueStaging) {
    this.#native = native;
    this.#calls = calls;
    this.#face = calls.takes ? calls.face : undefined;
    this.#codec = codecOf(record, staging.buffer);
    this.#bytes = record.bytes;
    this.#staging = staging;
    this.#words = new arrays.Float64Array(staging.buffer, staging.words, queueStaging.bytes / 8);
    this.#octets = new arrays.Uint8Array(staging.buffer);
    this.#at = staging.out;
    this.#apart = record.bytes;
    this.show = this.#codec.move;
    this.show(staging.out);
  }

  /** Where the records shown last begin. */
  get at(): number {
    return this.#at;
  }

  /** How many bytes it is from one of the records shown last to the next. */
  get apart(): number {
    return this.#apart;
  }

  /** Whether records are shown in their slots. */
  get inPlace(): boolean {
    return this.#face !== undefined;
  }

  /** Takes one record to the place of `shown(0)`. Returns whether there was one. */
  takeOne(): boolean {
    this.#at = this.#staging.out;
    const { cell, low, high, takeOne } = this.#calls;
    const answer = takeOne(cell, low, high);
    return !answer || this.tookOtherwise(answer);
  }

  /** Returns what `takeOne` returns, for an answer of its call that is neither undefined nor 0. */
  tookOtherwise(answer: number): boolean {
    if (answer === faceAnswers.done + faceAnswers.thenTell) {
      this.#native.tell();
      return true;
    }
    const taken = answer === ELSEWHERE ? this.#native.takeOne() : answer;
    return taken === undefined || checked(taken) !== answers.none;
  }

  /** Takes up to `max` records to the places of `shown(0)`, `shown(1)`, ... Returns how many. */
  take(max: number): number {
    this.#at = this.#staging.out;
    this.#apart = this.#bytes;
    return checked(this.#native.take(max));
  }

  /** Frees the first `consumed` of the records shown last, and shows up to `max` more: see the native `next`. */
  next(consumed: number, max: number): number {
    this.#at = this.#staging.out;
    this.#apart = this.#bytes;
    if (this.#face === undefined) return checked(this.#native.next(consumed, max));
    const { cell, low, high } = this.#calls;
    let shown = this.#face.next(cell, low, high, consumed, max);
    if (shown >= faceAnswers.thenTell) {
      this.#native.tell();
      shown -= faceAnswers.thenTell;
    }
    if (shown === ELSEWHERE) return checked(this.#native.next(consumed, max));
    if (shown === faceAnswers.showElsewhere) return checked(this.#native.next(0, max));
    this.#at = (this.#words[words.shownAt] as number) | 0; // so that V8 computes places with integers
    this.#apart = this.#staging.inApart;
    return shown;
  }

  /** Frees the first `count` of the records shown last. Does nothing if the queue object is disposed of. */
  free(count: number): void {
    const { cell, low, high } = this.#calls;
    const answer = this.#face === undefined ? ELSEWHERE : this.#face.next(cell, low, high, count, 0);
    if (answer === ELSEWHERE) this.#native.next(count, 0);
    else if (answer === faceAnswers.thenTell) this.#native.tell();
  }

  /** Takes up to `max` records from a queue that drops none while they are taken, and returns them. */
  pop(max: number): T[] {
    const values: T[] = [];
    // The face does not show records while somebody waits for room. The native `take` frees all that it takes at once,
    // and then serves those that wait: their records are left to the next call.
    if (
      max <= stagedRecords &&
      this.#face?.next(this.#calls.cell, this.#calls.low, this.#calls.high, 0, 0) === ELSEWHERE
    ) {
      const count = this.take(max);
      for (let i = 0; i < count; i++) values[i] = this.shown(i);
      return values;
    }
    let shown = 0;
    for (let count = 0; ; ) {
      // Frees what was decoded. A native call that shows a single record may have removed it already.
      const next = this.next(shown, Math.min(stagedRecords, max - count));
      const isGone = next === shownAndGone;
      shown = isGone ? 0 : next;
      for (let i = 0; i < (isGone ? 1 : shown); i++) values[count++] = this.shown(i);
      if (next === 0 || count === max) break;
    }
    if (shown > 0) this.free(shown);
    return values;
  }

  /** Makes the view show the place to which `takeOne` takes a record. */
  showTaken(): void {
    this.show(this.#staging.out);
  }

  /** Makes the view show a copy of record `i` of the records shown, whose slot will be free. */
  keep(i: number): void {
    const to = this.#staging.out;
    if (this.#at === to) return; // these records are copies
    const from = this.#at + i * this.#apart;
    for (let octet = 0; octet < this.#bytes; octet++) {
      this.#octets[to + octet] = this.#octets[from + octet] as number;
    }
    this.show(to);
  }

  view(): RecordView<T> {
    return this.#codec.view();
  }

  /** Returns record `i` of the records shown. */
  shown(i: number): T {
    return this.#codec.decode(this.#at + i * this.#apart);
  }

  /** Returns record `i` of the records that native code has copied to the staging buffer last. */
  taken(i: number): T {
    return this.#codec.decode(this.#staging.out + i * this.#bytes);
  }

  /** How many records the last call has dropped. */
  get drops(): number {
    return this.#words[words.dropped] as number;
  }

  /** Returns record `i` of the records that the last call has dropped, and the reason. */
  dropped(i: number): [T, number] {
    const at = this.#staging.dropped + i * this.#bytes;
    return [this.#codec.decode(at), this.#words[words.reasons + i] as number];
  }
}

/** Throws for a negative answer of native code. */
export function checked(answer: number): number {
  if (answer === NOT_CONSUMER) throw notConsumer();
  if (answer < 0) throw failed('Queue', answer);
  return answer;
}
