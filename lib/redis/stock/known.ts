import { performance } from 'node:perf_hooks';
import type { LedgerKey } from '../../stock/index.js';
import { keyText } from './keys.js';
import type { Lots } from './lots.js';
import type { Request } from './operations.js';

/** A refusal that this process knows without asking the server. */
export interface KnownRefusal {
  readonly reason:
    | 'sold-out'
    | 'user-limit'
    | 'unknown-sku'
    | 'item-closed'
    | 'already-failed'
    | 'id-mismatch';
  /** The index of the line that it is about. */
  readonly line: number;
}

/** The ids of the newest admitted orders that are kept: one that comes again must not be taken for a new order. */
const acceptedMax = 1_000_000;
/** The refused ids that are kept: between one and two times as many. */
const refusedMax = 32_768;
/** So many refusals of users are kept until the next heartbeat. */
const limitedMax = 10_000;

const failed: KnownRefusal = { reason: 'already-failed', line: 0 };
const mismatch: KnownRefusal = { reason: 'id-mismatch', line: 0 };

/** What the server has said, as far as it answers later orders, too. All of it is bounded. */
export class Known {
  readonly #lots: Lots;
  /** How long a refusal of a user, or of an item that does not exist, is taken as known, in milliseconds. */
  readonly #freshMs: number;
  readonly #accepted = new Set<string>();
  /**
   * What the server has refused since `#limitedSince`: for a pair of item and user the least quantity, for an item that
   * does not exist 0.
   */
  readonly #limited = new Map<string, number>();
  #limitedSince = 0;
  /** For each refused id its request. When `#refused` is full, it takes the place of `#refusedBefore`. */
  #refused = new Map<string, string>();
  #refusedBefore = new Map<string, string>();

  constructor(lots: Lots, freshMs: number) {
    this.#lots = lots;
    this.#freshMs = freshMs;
  }

  /** An order with this id was admitted, by whichever process. */
  accepts(id: string): void {
    this.#accepted.add(id);
    if (this.#accepted.size <= acceptedMax) return;
    const [oldest] = this.#accepted;
    if (oldest !== undefined) this.#accepted.delete(oldest);
  }

  /** Whether the id is that of an order which was admitted, by whichever process. */
  isAccepted(id: LedgerKey): boolean {
    return this.#accepted.has(keyText(id));
  }

  /** The server has refused this line of the request. */
  hears(reason: 'user-limit' | 'unknown-sku', { lines, user }: Request, line: number): void {
    const of = lines[line];
    if (of === undefined) return;
    this.#refresh();
    const key = reason === 'user-limit' ? pairOf(of.sku, user) : itemOf(of.sku);
    const least = Math.min(reason === 'user-limit' ? of.quantity : 0, this.#limited.get(key) ?? Infinity);
    if (this.#limited.has(key) || this.#limited.size < limitedMax) this.#limited.set(key, least);
  }

  /** This process has given units of a user back, or added an item. */
  changes(): void {
    this.#limited.clear();
  }

  /** The server has refused the request for good: its id stays refused. */
  fails(request: Request): void {
    if (request.id !== undefined) this.#remember(keyText(request.id), request);
  }

  /**
   * Returns why the request would be refused; undefined if only the server knows. With `isAnswer` a refusal for good is
   * remembered, which takes longer than all the rest.
   */
  refusal(request: Request, isAnswer: boolean): KnownRefusal | undefined {
    const id = request.id === undefined ? undefined : keyText(request.id);
    if (id !== undefined && this.#refused.size + this.#refusedBefore.size > 0) {
      const earlier = this.#refused.get(id) ?? this.#refusedBefore.get(id);
      if (earlier !== undefined) return earlier === bodyOf(request) ? failed : mismatch;
    }
    const refusal = this.#refusal(request);
    if (refusal === undefined || id === undefined) return refusal;
    if (this.#accepted.has(id)) return undefined; // it may be an order that was admitted
    // While others have units, they may have admitted the order: its id is announced with the next heartbeat.
    const sku = request.lines[refusal.line]?.sku;
    if (refusal.reason === 'sold-out' && sku !== undefined && this.#lots.get(sku)?.isLeasedElsewhere)
      return undefined;
    // The user may have given units back elsewhere: only the server refuses that for good.
    const isFinal = refusal.reason === 'sold-out' || refusal.reason === 'item-closed';
    if (isAnswer && isFinal) this.#remember(id, request);
    return refusal;
  }

  #refusal({ lines, user }: Request): KnownRefusal | undefined {
    if (this.#limited.size > 0) this.#refresh();
    for (let line = 0; line < lines.length; line++) {
      const { sku, quantity } = lines[line] as { sku: number | string; quantity: number };
      const lot = this.#lots.get(sku);
      if (this.#limited.size > 0) {
        if (lot === undefined && this.#limited.has(itemOf(sku))) return { reason: 'unknown-sku', line };
        if (quantity >= (this.#limited.get(pairOf(sku, user)) ?? Infinity))
          return { reason: 'user-limit', line };
      }
      if (lot === undefined) continue;
      this.#lots.asks(lot, quantity);
      if (lot.isClosed) return { reason: 'item-closed', line };
      if (lot.isSoldOut) return { reason: 'sold-out', line };
    }
    return undefined;
  }

  #refresh(): void {
    const now = performance.now();
    if (now - this.#limitedSince < this.#freshMs) return;
    this.#limited.clear();
    this.#limitedSince = now;
  }

  #remember(id: string, request: Request): void {
    if (this.#refused.size >= refusedMax) {
      this.#refusedBefore = this.#refused;
      this.#refused = new Map();
    }
    this.#refused.set(id, bodyOf(request));
  }
}

function itemOf(sku: number | string): string {
  return `${typeof sku === 'number' ? 'n' : 't'}${sku}`;
}

function pairOf(sku: number | string, user: Request['user']): string {
  return `${keyText(user)}|${itemOf(sku)}`;
}

/** What must be the same when an id comes again. */
export function bodyOf({ lines, user }: Request): string {
  const sorted =
    lines.length === 1 ? lines : [...lines].sort((a, b) => (itemOf(a.sku) < itemOf(b.sku) ? -1 : 1));
  return `${sorted.map(({ sku, quantity }) => `${quantity}*${itemOf(sku)}`).join('\n')}\n\n${keyText(user)}`;
}
