// The requests to a ledger and its answers, and the texts that distinguish its keys.

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
  readonly sellForMs?: number;
}
export interface Group {
  readonly name: string;
  readonly perUser: number;
}
/** The texts of the user and the id: see `keyText`. */
export interface Who {
  readonly user: string | undefined;
  readonly id: string | undefined;
  /** Whether a gate asks. A gate queues what it reserves. */
  readonly byGate?: boolean;
}
export type Answer =
  | { readonly ok: true; readonly name: number; readonly duplicate: boolean }
  /**
   * `name`: the reservation that the id already has, if a gate made it and the request is direct, or the other way
   * round.
   */
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

/** Returns a key as a text. A number and a bigint of the same value are the same key, a text is another one. */
export function keyText(key: number | bigint | string): string {
  return typeof key === 'string' ? `'${key}` : `#${key}`;
}

/** Returns a text that identifies a user and an item together. */
export function pair(user: string, sku: Sku): string {
  return `${keyText(sku)} ${user}`;
}

/** Returns the lines of a cart, with lines of the same item added up. */
export function summed(cart: readonly Line[]): Line[] {
  const skus = [...new Set(cart.map(({ sku }) => sku))];
  return skus.map((sku) => ({
    sku,
    quantity: cart.reduce((sum, line) => (line.sku === sku ? sum + line.quantity : sum), 0),
  }));
}

/**
 * Returns a text of what a request asks for: the sum of each item, in any order, and the user. A request that repeats
 * an id must have the same text as the first request with that id.
 */
export function bodyOf(lines: readonly Line[], user: string | undefined): string {
  const sums = lines.map(({ sku, quantity }) => `${keyText(sku)}*${quantity}`).sort();
  return `${sums.join('+')} for ${user}`;
}
