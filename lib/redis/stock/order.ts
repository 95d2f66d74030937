import { createHash, randomBytes } from 'node:crypto';
import { optionError } from '../../input/index.js';
import type { Refusal, ReservationState } from '../../stock/index.js';
import { noReply, redisError, text } from '../client/index.js';
import { bodyOf, type Known } from './known.js';
import type { Kept, Lots } from './lots.js';
import {
  type Answer,
  type Operation,
  orderValues,
  type Request,
  type Sending,
  type Value,
} from './operations.js';

/** What came of an order. */
export type Outcome =
  | {
      readonly kind: 'reserved' | 'duplicate';
      readonly reservation: bigint;
      readonly state: ReservationState;
      readonly leftMs: number;
      /** Whether a gate admitted it. */
      readonly byGate: boolean;
    }
  | {
      readonly kind: 'refused';
      readonly reason: Exclude<Refusal, 'admitted-by-gate'> | 'queue-full' | 'unavailable' | 'revoked';
      /** The index of the line that it is about. */
      readonly line: number;
    };

/** What an order needs of its sale. */
export interface Sale {
  readonly lots: Lots;
  readonly known: Known;
  /** Puts units back on sale that were reserved for a caller who was told that no answer came. */
  release(reservation: bigint): void;
  /** An order that was settled is lost, and there is no room for it any more. */
  revoked(request: Request, reservation: bigint): void;
}

/** The refusals of the script. */
const refusals: ReadonlySet<string> = new Set([
  ...['sold-out', 'user-limit', 'unknown-sku', 'item-closed', 'needs-user', 'queue-full'],
  ...['failed', 'mismatch', 'collision'],
]);
const states: ReadonlySet<string> = new Set(['held', 'confirmed', 'cancelled', 'expired', 'unknown']);
const decimal = /^\d{1,20}$/;

/** A request of at most so many characters is its own digest. */
const digestMax = 40;

const unavailable: Outcome = { kind: 'refused', reason: 'unavailable', line: 0 };

/** An order on its way to the server. */
export class Order implements Operation {
  readonly outcome: Promise<Outcome>;
  readonly #where: string;
  readonly #sale: Sale;
  readonly #request: Request;
  readonly #reservation: bigint;
  readonly #digest: string;
  readonly #kept: Kept | undefined;
  readonly #spared: () => void;
  #isLate = false;
  #resolve!: (outcome: Outcome) => void;
  #reject!: (error: Error) => void;

  /**
   * `kept`: the units that this process keeps for it, if it has them. `where` names the method in errors. `spared` is
   * called as soon as it is certain that the order has reserved nothing, which may be after its answer.
   */
  constructor(
    where: string,
    sale: Sale,
    request: Request,
    reservation: bigint,
    kept: Kept | undefined,
    spared: () => void,
  ) {
    this.#where = where;
    this.#sale = sale;
    this.#request = request;
    this.#reservation = reservation;
    this.#digest = request.id === undefined ? '-' : digestOf(request);
    this.#kept = kept;
    this.#spared = spared;
    this.outcome = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  prepare(): void {
    // It gets units that nobody has: also those that this process has too few of.
    if (this.#kept === undefined) this.#sale.lots.giveBack(this.#request.lines);
  }

  values(sending: Sending): readonly Value[] {
    return orderValues(this.#request, this.#place, this.#reservation, this.#digest, sending);
  }

  get #place(): 'lease' | 'lost' | 'pool' {
    if (this.#kept === undefined) return 'pool';
    return this.#sale.lots.isOfThisLease(this.#kept) ? 'lease' : 'lost';
  }

  isAnswer(answer: Answer): boolean {
    return isOfOrder(answer);
  }

  settled(answer: Answer): boolean {
    const code = text(answer[0]);
    const isReserved = code === 'reserved';
    const { lots } = this.#sale;
    if (this.#kept !== undefined) {
      if (isReserved) lots.sold(this.#kept);
      else lots.putBack(this.#kept, this.#request.lines);
    }
    if (isReserved) for (const { sku } of this.#request.lines) lots.add(sku);
    else this.#spared();
    // A caller with an id may ask again, and an order in a stream is handled. Nobody knows of any other reservation.
    const { id, entry } = this.#request;
    if (this.#isLate && isReserved && id === undefined && entry === undefined)
      this.#sale.release(this.#reservation);
    if (!this.#isLate) this.#answer(code, answer);
    return isReserved;
  }

  #answer(code: string, answer: Answer): void {
    switch (code) {
      case 'reserved':
      case 'duplicate':
        this.#resolve(answer.length === 1 ? this.#reserved : reservedAs(code, answer));
        return;
      case 'needs-user':
        this.#reject(
          optionError(`${this.#where}: user`, 'a user (the item has a per-user limit)', undefined, true),
        );
        return;
      default:
        if (isFinal(answer) && this.#reason(code, answer) !== 'revoked')
          this.#sale.known.fails(this.#request);
        this.#resolve({ kind: 'refused', reason: this.#reason(code, answer), line: Number(answer[1] ?? 0) });
    }
  }

  /** What came of an order that was reserved as it asked. */
  get #reserved(): Outcome {
    const { holdMs, entry } = this.#request;
    const leftMs = Math.round(holdMs);
    return {
      kind: 'reserved',
      reservation: this.#reservation,
      state: 'held',
      leftMs,
      byGate: entry !== undefined,
    };
  }

  #reason(code: string, answer: Answer): Extract<Outcome, { kind: 'refused' }>['reason'] {
    switch (code) {
      case 'sold-out':
        return this.#kept === undefined ? 'sold-out' : 'revoked';
      case 'user-limit':
      case 'unknown-sku':
        this.#sale.known.hears(code, this.#request, Number(answer[1] ?? 0));
        return code;
      case 'item-closed':
      case 'queue-full':
        return code;
      default:
        return ofId(code);
    }
  }

  repeated(answer: Answer): boolean {
    const stands = text(answer[0]) === 'reserved';
    if (!stands) this.#sale.revoked(this.#request, this.#reservation);
    return stands;
  }

  late(isSent: boolean): void {
    this.#isLate = true;
    if (!isSent) {
      if (this.#kept !== undefined) this.#sale.lots.putBack(this.#kept, this.#request.lines);
      this.#spared();
    }
    this.#resolve(unavailable);
  }

  failed(error: Error, isSent: boolean): void {
    if (!isSent) this.#spared();
    if (this.#kept !== undefined) this.#sale.lots.putBack(this.#kept, this.#request.lines);
    this.#reject(redisError(this.#where, error));
  }
}

/** Whether the script gives this answer to an order. */
function isOfOrder(answer: Answer): boolean {
  if (answer.length === 1 && answer[0] === 'reserved') return true;
  const [code, which, state, left] = answer.map(text);
  if (code !== 'reserved' && code !== 'duplicate') return refusals.has(code ?? '');
  const isReservation = decimal.test(which ?? '') && decimal.test(left ?? '');
  return isReservation && states.has(state ?? '');
}

/** Whether a refusal is for good. Units that other processes have leased may come back. */
export function isFinal(answer: Answer): boolean {
  return text(answer[2]) === '1';
}

function reservedAs(kind: 'reserved' | 'duplicate', answer: Answer): Outcome {
  const [, reservation, state, left, origin] = answer;
  return {
    kind,
    reservation: BigInt(text(reservation)),
    state: text(state) as ReservationState,
    leftMs: Number(text(left)),
    byGate: text(origin) === 'g',
  };
}

function ofId(code: string): 'already-failed' | 'id-mismatch' | 'unavailable' {
  if (code === 'failed') return 'already-failed';
  // A collision: another process has made the same number; the next one is another.
  return code === 'mismatch' ? 'id-mismatch' : 'unavailable';
}

/** Returns what came of an id that the server was asked for; undefined if it is new. @throws the error of `noReply`. */
export function recalledAs(answer: Answer): Outcome | undefined {
  const code = text(answer[0]);
  if (code === 'new') return undefined;
  if (!isOfOrder(answer)) throw noReply('what came of an id');
  return code === 'duplicate' ? reservedAs(code, answer) : { kind: 'refused', reason: ofId(code), line: 0 };
}

/**
 * Returns a text without spaces that is the same for all requests that may have one id: a short request as it is, a
 * longer one as the beginning of its SHA-256.
 */
export function digestOf(request: Request): string {
  const body = bodyOf(request);
  if (body.length <= digestMax) return encodeURIComponent(body);
  return createHash('sha256').update(body).digest('hex').slice(0, 32);
}

const countedBits = 24n;
const countedMax = Number(1n << countedBits);

/** Makes the numbers of reservations: 40 random bits, then 24 that count. No other process makes the same. */
export class Numbers {
  #begin = 0n;
  #count = countedMax;

  next(): bigint {
    if (this.#count === countedMax) {
      this.#begin = BigInt(`0x${randomBytes(5).toString('hex')}`) << countedBits;
      this.#count = 0;
    }
    return this.#begin | BigInt(this.#count++);
  }
}
