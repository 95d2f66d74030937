import type { Refusal, Reserved, ReserveOptions, Resolution } from 'sluice';

type Body = Pick<ReserveOptions, 'sku' | 'quantity' | 'user'>;
type State = 'held' | 'confirmed' | 'cancelled' | 'expired';

interface Reservation extends Body {
  state: State;
  readonly deadlineMs: number;
}

/**
 * A model of a ledger: it does what the documentation promises, with maps, and without tables, words and generations.
 */
export class LedgerModel {
  nowMs = 0;
  readonly reservations = new Map<bigint, Reservation>();
  readonly #answers = new Map<number, { body: string; answer: bigint | 'failed' }>();
  /** The newest reservation in each place of the table: older ones are unknown. */
  readonly #newest = new Map<bigint, bigint>();

  constructor(
    readonly items: ReadonlyMap<number | string, { total: number; perUser: number }>,
    readonly maxReservations: number,
  ) {}

  units(sku: number | string, ...states: State[]): number {
    return this.#sum((one) => one.sku === sku && states.includes(one.state));
  }

  counts(sku: number | string): { total: number; available: number; reserved: number; sold: number } {
    const total = this.items.get(sku)?.total ?? 0;
    const reserved = this.units(sku, 'held');
    const sold = this.units(sku, 'confirmed');
    return { total, available: total - reserved - sold, reserved, sold };
  }

  get held(): number {
    return [...this.reservations.values()].filter(({ state }) => state === 'held').length;
  }

  /** Returns what the ledger must answer: a refusal, an earlier reservation, or 'new'. */
  expectReserve({ sku, quantity, user, id }: ReserveOptions): Refusal | bigint | 'new' {
    const body = JSON.stringify([sku, quantity, user]);
    const asked = { sku, quantity, user: user as number };
    // Holds that are over, and may be the reason for a refusal, expire first.
    const hindered = ['sold-out', 'user-limit'].includes(this.#refusal(asked) ?? '');
    if (hindered && this.units(sku, 'held') > 0) this.expire();
    const known = typeof id === 'number' ? this.#answers.get(id) : undefined;
    if (known !== undefined) {
      if (known.body !== body) return 'id-mismatch';
      return known.answer === 'failed' ? 'already-failed' : known.answer;
    }
    const first = this.#refusal(asked);
    const refusal = first === 'ledger-full' && this.expire() > 0 ? this.#refusal(asked) : first;
    const final = refusal === 'sold-out' || refusal === 'user-limit';
    if (final && typeof id === 'number') this.#answers.set(id, { body, answer: 'failed' });
    return refusal ?? 'new';
  }

  reserved({ sku, quantity, user, id }: ReserveOptions, { reservation, expiresInMs }: Reserved): void {
    const deadlineMs = this.nowMs + expiresInMs;
    this.reservations.set(reservation, { sku, quantity, user: user as number, state: 'held', deadlineMs });
    this.#newest.set(reservation & 0xffff_ffffn, reservation);
    if (typeof id === 'number') {
      this.#answers.set(id, { body: JSON.stringify([sku, quantity, user]), answer: reservation });
    }
  }

  resolve(reservation: bigint, to: 'confirmed' | 'cancelled'): Resolution {
    const one = this.reservations.get(reservation);
    if (one === undefined || this.#newest.get(reservation & 0xffff_ffffn) !== reservation) return 'unknown';
    if (one.state === 'expired') return 'expired';
    if (one.state !== 'held') return `already-${one.state}`;
    one.state = this.nowMs >= one.deadlineMs ? 'expired' : to;
    return one.state;
  }

  expire(): number {
    const due = [...this.reservations.values()].filter(
      (one) => one.state === 'held' && this.nowMs >= one.deadlineMs,
    );
    for (const one of due) one.state = 'expired';
    return due.length;
  }

  #refusal({ sku, quantity, user }: Body): Refusal | undefined {
    const item = this.items.get(sku);
    if (item === undefined) return 'unknown-sku';
    if (this.counts(sku).available < quantity) return 'sold-out';
    if (item.perUser > 0) {
      const mine = this.#sum(
        (one) => one.sku === sku && one.user === user && ['held', 'confirmed'].includes(one.state),
      );
      if (mine + quantity > item.perUser) return 'user-limit';
    }
    return this.held >= this.maxReservations ? 'ledger-full' : undefined;
  }

  #sum(counts: (one: Reservation) => boolean): number {
    let sum = 0;
    for (const one of this.reservations.values()) if (counts(one)) sum += one.quantity;
    return sum;
  }
}
