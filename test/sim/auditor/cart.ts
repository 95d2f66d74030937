// What is asked of a ledger and what it answers, and the texts by which its keys are told apart.

export type Sku = number | string;
export interface Line {
  readonly sku: Sku;
  readonly quantity: number;
}
export interface NewItem {
  readonly sku: Sku;
  readonly quantity: number;
  readonly perUser?: number;
  readonly backorder?: number;
  readonly group?: string;
  readonly shards?: number;
}
export interface Group {
  readonly name: string;
  readonly perUser: number;
}
/** Texts that tell keys apart: see `keyText`. */
export interface Who {
  readonly user: string | undefined;
  readonly id: string | undefined;
  /** Whether a gate asks, which queues what it reserves. */
  readonly byGate?: boolean;
}
export type Answer =
  | { readonly ok: true; readonly name: number; readonly duplicate: boolean }
  /** `name`: of the reservation that another way of asking has made under this id. */
  | { readonly ok: false; readonly reason: string; readonly sku?: Sku; readonly name?: number }
  | { readonly error: 'ERR_SLUICE_OPTION' };

export interface Movement {
  readonly kind: string;
  readonly sku: Sku;
  readonly quantity: number;
  readonly timeMs: number;
  /** The name of a reservation. */
  readonly reservation?: number;
  readonly user?: bigint | string;
}

/** A key as a text: a number and a bigint of the same value are the same key, a text is another. */
export function keyText(key: number | bigint | string): string {
  return typeof key === 'string' ? `'${key}` : `#${key}`;
}

/** A user's units of an item. */
export function pair(user: string, sku: Sku): string {
  return `${keyText(sku)} ${user}`;
}

/** The lines of a cart with those of the same item added up. */
export function summed(cart: readonly Line[]): Line[] {
  const skus = [...new Set(cart.map(({ sku }) => sku))];
  return skus.map((sku) => ({
    sku,
    quantity: cart.reduce((sum, line) => (line.sku === sku ? sum + line.quantity : sum), 0),
  }));
}

/** What a repetition of an id must ask for: the same sums in any order, for the same user. */
export function bodyOf(lines: readonly Line[], user: string | undefined): string {
  const sums = lines.map(({ sku, quantity }) => `${keyText(sku)}*${quantity}`).sort();
  return `${sums.join('+')} for ${user}`;
}
