import { performance } from 'node:perf_hooks';
import { costMax, type Key } from '../../limiter/index.js';
import { denied, type RedisDenied } from './decision.js';
import type { Refusing, Taken } from './limit-script.js';

/** How long a refusal is remembered at most: it may be out of date after a refund, a reset or the end of a block. */
const knownMs = 1_000;
/** Over which time the demand for a key is averaged. */
const meanMs = 100;
/** How much slower than the server's the clock of this process may be: a thousandth. */
const drift = 0.999;

/**
 * Tokens of one key that the server has charged and this process may spend. The time is counted from before the call
 * was sent, so it is over here before it is over at the server. The monotonic clock does not count the time for which
 * the machine sleeps, and so the wall clock must agree.
 */
export class Lease {
  tokens: number;
  /** How much the tiers allowed beside the lease when it was granted. */
  readonly beside: number;
  readonly charged: number;
  readonly #end: number;
  readonly #wall: number;
  readonly #lastsMs: number;
  #isOver = false;

  constructor({ tokens, charged, lastsMs }: Taken, beside: number, sentAt: number, wallSentAt: number) {
    this.tokens = tokens;
    this.beside = beside;
    this.charged = charged;
    this.#lastsMs = lastsMs * drift;
    this.#end = sentAt + this.#lastsMs;
    this.#wall = wallSentAt;
  }

  get isLive(): boolean {
    if (this.#isOver || performance.now() >= this.#end) return false;
    const wallMs = Date.now() - this.#wall; // in whole milliseconds
    return wallMs >= 0 && wallMs <= this.#lastsMs + 1;
  }

  /** Ends it, and returns the tokens that were not spent. */
  end(): number {
    const rest = this.tokens;
    this.tokens = 0;
    this.#isOver = true;
    return rest;
  }
}

/** What this process knows about one key. */
export class KeyState {
  readonly key: Key | undefined;
  /** The key of the server. */
  readonly name: string;
  lease: Lease | undefined;
  leaseTimer: NodeJS.Timeout | undefined;
  /** Whether a call that asks for a lease has no answer yet. */
  isLeasing = false;
  /** What was asked for since the last call. */
  asked = 0;
  #perMs = 0;
  #since: number | undefined;
  #refusing:
    | (Refusing & { readonly cost: number; readonly until: number; readonly knownUntil: number })
    | undefined;

  constructor(key: Key | undefined, name: string) {
    this.key = key;
    this.name = name;
  }

  /**
   * Returns how much will be asked for within `ms`, by what was asked for until now: a mean over calls that weighs what
   * lies a tenth of a second back by 1/e. 0 without a steady demand: for less than two, and for the first call.
   */
  expected(ms: number): number {
    const now = performance.now();
    const since = this.#since ?? now;
    if (now > since) {
      const old = Math.exp((since - now) / Math.min(ms, meanMs));
      this.#perMs = this.#perMs * old + (this.asked / (now - since)) * (1 - old);
    } else if (this.#since !== undefined) {
      return 0; // by the next call
    }
    this.#since = now;
    this.asked = 0;
    const expected = Math.floor(this.#perMs * ms);
    return expected < 2 ? 0 : Math.min(expected, costMax);
  }

  /** Remembers a refusal; `at`: when the call was sent. */
  refused(cost: number, refusing: Refusing, at: number): void {
    const until = at + refusing.retryAfterMs;
    this.#refusing = { ...refusing, cost, until, knownUntil: Math.min(until, at + knownMs) };
  }

  /** The limit may have room again. */
  forgetRefusal(): void {
    this.#refusing = undefined;
  }

  /** Returns the refusal that a request would get for sure, as far as is known here. */
  refusal(cost: number): RedisDenied | undefined {
    const known = this.#refusing;
    if (known === undefined || cost !== known.cost) return undefined; // another cost has another wait
    const now = performance.now();
    if (now >= known.knownUntil) return undefined;
    return denied(known.tier, known.window, false, known.until - now);
  }
}

/** The states of the keys that were asked for last; at most `max`. */
export class KeyStates {
  readonly #states = new Map<Key | undefined, KeyState>();
  readonly #max: number;
  readonly #evict: (state: KeyState) => void;

  /** `evict` is called with each state that had to go. */
  constructor(max: number, evict: (state: KeyState) => void) {
    this.#max = max;
    this.#evict = evict;
  }

  get size(): number {
    return this.#states.size;
  }

  get(key: Key | undefined): KeyState | undefined {
    return this.#states.get(key);
  }

  /** Returns the state of a key, which is then the last one to go. */
  touch(key: Key | undefined, name: (key: Key | undefined) => string): KeyState {
    const known = this.#states.get(key);
    if (known !== undefined) {
      this.#states.delete(key);
      this.#states.set(key, known);
      return known;
    }
    if (this.#states.size >= this.#max) {
      for (const oldest of this.#states.values()) {
        this.#states.delete(oldest.key);
        this.#evict(oldest);
        break;
      }
    }
    const made = new KeyState(key, name(key));
    this.#states.set(key, made);
    return made;
  }

  [Symbol.iterator](): IterableIterator<KeyState> {
    return this.#states.values();
  }
}
