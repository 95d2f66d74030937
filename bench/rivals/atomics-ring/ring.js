/**
 * A bounded multi-producer, single-consumer ring over a SharedArrayBuffer, in JavaScript and Atomics alone:
 * the contract of sluice's native queue, as fast as JavaScript can make it, for comparison.
 *
 * The cost of an operation is the number of its Atomics calls (V8 calls a builtin for each: 8 to 10 ns), so every
 * operation makes as few as the memory model allows:
 *   push of 1 or of n     2    claim (compareExchange of the tail), publish (exchange of a stamp)
 *   drain                 1 for each published run (load of its stamp) + 1 (store of the head)
 * A push that must read the head again makes 2 more, and each compareExchange that fails 1 more. A drain that visits
 * all records makes 1 more, by which it finds no further one.
 *
 * Memory, in bytes; words that different threads write are 128 bytes apart:
 *     0   tail    next position to claim; bit 0 means "closed"
 *   128   head    next position to read; written once per drained batch
 *   256   epoch   changes every 2^29 records, which makes the producers' cached limits void
 *   384   slots   { int32 stamp, int32 run, record }, a power of two of them, not fewer than the capacity
 *
 * Positions count records in steps of two, wrap at 32 bits and are compared by signed difference. Bit 0 marks
 * values that are not a position. The stamp in the slot of position p is
 *   p + 1   published: `run` records from here on were claimed together and are readable together
 *   p       the consumer sleeps until p is published
 *   other   left from an earlier lap
 * A producer publishes by exchanging the stamp for p + 1; the old stamp shows whether the consumer sleeps. Both
 * sides decide on this one word, so no wake-up is lost, without a fence or a second flag.
 *
 * This form lacks three properties of the native ring: a thread terminated between claim and publish wedges it, so
 * does a record whose getter throws when it is read the second time, and the caller must make sure that only one
 * thread consumes.
 */

// Indices of 32-bit words.
const TAIL = 0;
const HEAD = 32;
const EPOCH = 64;

const SLOTS_BYTES = 384;
const PAGE_BYTES = 65_536;
const SLOTS_BYTES_MAX = 2 ** 30;
const STEP = 2;
/** A bit of the tail. */
const CLOSED = 1;
/** A bit of a stamp. */
const PUBLISHED = 1;
/** The result of #claim when there is no room: it is odd, so it is not a position. */
const FULL = 1;

/**
 * @typedef {import('./record.js').Fields} Fields
 * @typedef {{ memory: ArrayBufferLike, capacity: number, signature: string }} Handle structured-cloneable
 */

/**
 * Atomics.waitAsync, which the type library that the project compiles against does not have.
 * @type {(words: Int32Array, index: number, value: number) => { async: boolean, value: unknown }}
 */
const waitAsync = Reflect.get(Atomics, 'waitAsync');

/**
 * @template {Fields} R
 */
export class Ring {
  /** @readonly @type {Handle} */
  handle;

  #words;
  #codec;
  #slotBytes;
  /** Slots - 1. */
  #mask;
  /** The capacity, in positions. */
  #span;
  /** Consumer: the next position to read. */
  #head;
  /** Producer: a past value of head + span, and the epoch in which it was read. */
  #limit = 0;
  #limitEpoch = -1;
  /** Producer: how many records the last #claim got. */
  #claimed = 0;

  /**
   * @template {Fields} R
   * @param {import('./record.js').RecordType<R>} type
   * @param {{ capacity: number, start?: number }} options `start`: number of the first record, to test wrap-around
   */
  static create(type, { capacity, start = 0 }) {
    const most = SLOTS_BYTES_MAX / type.slotBytes;
    if (!Number.isInteger(capacity) || capacity < 1 || capacity > most) {
      throw new RangeError(`capacity: expected a whole number from 1 to ${most}, got ${capacity}`);
    }
    const slots = slotsFor(capacity);
    // A shared WebAssembly memory is a SharedArrayBuffer that starts at the beginning of a page. A plain one may start
    // at any multiple of 16 bytes, and then its slots may lie across one cache line more than they need.
    const pages = Math.ceil((SLOTS_BYTES + slots * type.slotBytes) / PAGE_BYTES);
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true }).buffer;
    const words = new Int32Array(memory);
    const first = start * STEP;
    words[TAIL] = first;
    words[HEAD] = first;
    for (let slot = 0; slot < slots; slot++) {
      words[(SLOTS_BYTES + slot * type.slotBytes) >> 2] = first - 1; // as if left from an earlier lap
    }
    return new Ring(type, { memory, capacity, signature: type.signature });
  }

  /**
   * @template {Fields} R
   * @param {import('./record.js').RecordType<R>} type
   * @param {Handle} handle
   */
  static attach(type, handle) {
    if (handle.signature !== type.signature) {
      throw new TypeError(`handle: expected a ring of ${type.signature}, got one of ${handle.signature}`);
    }
    return new Ring(type, handle);
  }

  /**
   * @param {import('./record.js').RecordType<R>} type
   * @param {Handle} handle
   */
  constructor(type, handle) {
    this.handle = handle;
    this.#words = new Int32Array(handle.memory);
    this.#codec = type.codecOver(handle.memory);
    this.#slotBytes = type.slotBytes;
    this.#mask = slotsFor(handle.capacity) - 1;
    this.#span = handle.capacity * STEP;
    this.#head = Atomics.load(this.#words, HEAD);
  }

  /**
   * @param {R} record
   * @returns {boolean} false: full
   * @throws {TypeError} names the bad field; nothing was pushed
   */
  tryPush(record) {
    this.#codec.check(record);
    const position = this.#claim(1);
    if (position === FULL) return false;
    const at = this.#slotOf(position);
    this.#codec.write(record, at);
    this.#publish(position, at, 1);
    return true;
  }

  /**
   * @param {R[]} records
   * @returns {number} how many were taken, from the front
   * @throws {TypeError} names the bad field; nothing was pushed
   */
  tryPushMany(records) {
    if (records.length === 0) return 0;
    for (const record of records) this.#codec.check(record);
    const first = this.#claim(records.length);
    if (first === FULL) return 0;
    const taken = this.#claimed;
    // Writes back to front, because the first stamp publishes the whole run. It also writes the other stamps, by plain
    // stores: no slot keeps a stamp for longer than a lap, and a drain may stop inside the run.
    for (let i = taken - 1; i > 0; i--) {
      const position = (first + i * STEP) | 0;
      const at = this.#slotOf(position);
      this.#codec.write(/** @type {R} */ (records[i]), at);
      this.#words[at >> 2] = position | PUBLISHED;
      this.#words[(at >> 2) + 1] = taken - i;
    }
    const at = this.#slotOf(first);
    this.#codec.write(/** @type {R} */ (records[0]), at);
    this.#publish(first, at, taken);
    return taken;
  }

  /**
   * Visits published records, oldest first. Their room becomes free all at once, when `drain` returns.
   * @param {(view: import('./record.js').View<R>) => void} visit gets one view, moved on for each record
   * @param {number} [max]
   * @returns {number} how many were visited
   */
  drain(visit, max = this.handle.capacity) {
    const words = this.#words;
    const view = this.#codec.view;
    let position = this.#head;
    let left = max;
    try {
      while (left > 0) {
        const word = this.#slotOf(position) >> 2;
        if (Atomics.load(words, word) !== (position | PUBLISHED)) break;
        const run = Math.min(/** @type {number} */ (words[word + 1]), left);
        left -= run;
        for (let i = 0; i < run; i++) {
          view.at = this.#slotOf(position);
          position = (position + STEP) | 0;
          visit(view);
        }
      }
    } finally {
      this.#free(position);
    }
    return max - left;
  }

  /**
   * No thread claims a position after this. Records whose positions were claimed before are still published and
   * drained.
   */
  close() {
    const tail = Atomics.or(this.#words, TAIL, CLOSED);
    if (tail & CLOSED) return;
    // If the consumer sleeps on an empty ring, it sleeps on the slot of the tail.
    const word = this.#slotOf(tail) >> 2;
    if (Atomics.compareExchange(this.#words, word, tail, tail - 1) === tail)
      Atomics.notify(this.#words, word);
  }

  // ---- producers -------------------------------------------------------------------------------------------

  /**
   * Claims up to `want` records. The caller must write and publish all claimed records.
   * @param {number} want
   * @returns {number} the first position, or FULL
   */
  #claim(want) {
    const words = this.#words;
    let tail = /** @type {number} */ (words[TAIL]); // may be old: then the compareExchange fails
    for (;;) {
      if (tail & CLOSED) throw new Error('the ring is closed');
      let room = (this.#limit - tail) | 0;
      if (room < want * STEP || words[EPOCH] !== this.#limitEpoch) {
        this.#limitEpoch = Atomics.load(words, EPOCH);
        this.#limit = (Atomics.load(words, HEAD) + this.#span) | 0;
        room = (this.#limit - tail) | 0;
        if (room <= 0) return FULL;
      }
      const claimed = Math.min(room, want * STEP);
      const seen = Atomics.compareExchange(words, TAIL, tail, tail + claimed);
      if (seen === tail) {
        this.#claimed = claimed / STEP;
        return tail;
      }
      tail = seen;
    }
  }

  /**
   * @param {number} position
   * @param {number} at
   * @param {number} run
   */
  #publish(position, at, run) {
    const word = at >> 2;
    this.#words[word + 1] = run;
    if (Atomics.exchange(this.#words, word, position | PUBLISHED) === position)
      Atomics.notify(this.#words, word);
  }

  // ---- the consumer ----------------------------------------------------------------------------------------

  /** @param {number} position frees everything before it */
  #free(position) {
    if (position === this.#head) return;
    // The epoch changes whenever positions have advanced by 2^30, which is 2^29 records. The signed difference to a
    // cached limit would be right for twice that distance.
    const epochPassed = (position ^ this.#head) >>> 30 !== 0;
    this.#head = position;
    Atomics.store(this.#words, HEAD, position);
    if (epochPassed) Atomics.add(this.#words, EPOCH, 1);
  }

  /** Whether there is something to drain. */
  get readable() {
    return Atomics.load(this.#words, this.#slotOf(this.#head) >> 2) === (this.#head | PUBLISHED);
  }

  /** Whether the ring is closed and all that was pushed has been drained. */
  get drained() {
    return Atomics.load(this.#words, TAIL) === (this.#head | CLOSED);
  }

  /**
   * Waits, without blocking the thread, until there is something to drain or the ring is closed. The wait does not keep
   * a process alive.
   * @returns {Promise<boolean>} false: it did not have to wait
   */
  async sleep() {
    const word = this.#slotOf(this.#head) >> 2;
    const stamp = Atomics.load(this.#words, word);
    if (stamp === (this.#head | PUBLISHED)) return false;
    if (Atomics.compareExchange(this.#words, word, stamp, this.#head) !== stamp) return false;
    if (this.drained) return false;
    const wait = waitAsync(this.#words, word, this.#head);
    await wait.value;
    return wait.async;
  }

  /** @param {number} position */
  #slotOf(position) {
    return SLOTS_BYTES + Math.imul((position >> 1) & this.#mask, this.#slotBytes);
  }
}

/** @param {number} capacity */
function slotsFor(capacity) {
  let slots = 2;
  while (slots < capacity) slots *= 2;
  return slots;
}
