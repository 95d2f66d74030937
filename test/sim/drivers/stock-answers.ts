import type { CartOptions, ItemChanges, Stock } from 'sluice';
import { type Answer, keyText, type Line, type Movement, summed } from '../auditor/cart.js';
import type { Found, Ledger, LedgerShape } from '../auditor/ledger.js';
import type { Changes } from '../auditor/ledger-book.js';
import type { Part } from '../auditor/parts.js';
import { outcome } from '../divergence.js';
import { type Growth, type KeyName, keyOf, type List, textOf } from './stock-operations.js';

export function grown(shape: LedgerShape, { items, reservations, users, ids }: Growth): LedgerShape {
  return {
    maxItems: shape.maxItems + items,
    maxReservations: shape.maxReservations + reservations,
    maxUsers: shape.maxUsers + users,
    maxIds: ids ? Math.max(shape.maxIds, 1_000) : shape.maxIds,
  };
}

export function reserve(stock: Stock, lines: readonly Line[], options: CartOptions, cart: boolean): unknown {
  return cart ? stock.reserveAll(lines, options) : stock.reserve({ ...(lines[0] as Line), ...options });
}

export function optionsOf({
  user,
  id,
  holdMs,
}: {
  user?: KeyName;
  id?: KeyName;
  holdMs?: number;
}): CartOptions {
  return {
    ...(user === undefined ? {} : { user: keyOf(user) }),
    ...(id === undefined ? {} : { id: keyOf(id) }),
    ...(holdMs === undefined ? {} : { holdMs }),
  };
}

/** Returns the changes of an item as the auditor takes them: without null. */
export function limitsOf({ perUser, backorder, sellForMs }: ItemChanges): Changes {
  return {
    perUser: perUser === null ? 0 : perUser,
    backorder,
    sellForMs: sellForMs === null ? Number.POSITIVE_INFINITY : sellForMs,
  };
}

function isSameKey(told: bigint | string | undefined, key: KeyName): boolean {
  return told !== undefined && keyText(told) === textOf(key);
}

/** Removes the sku: a refusal of one item need not name it. */
export function withoutSku(answer: Answer): Answer {
  if (!('reason' in answer)) return answer;
  const { sku: _, ...refused } = answer;
  return refused;
}

export function summedPart(part: Part | undefined): Part {
  return part?.lines === undefined ? { ...part } : { lines: summed(part.lines) };
}

export function resolved(call: () => string): string {
  const answer = outcome(call);
  return typeof answer === 'string' ? answer : answer.error;
}

export function sum(movements: readonly Movement[]): number {
  return movements.reduce(
    (total, { quantity, kind }) => total + quantity + (kind === 'closed' || kind === 'reopened' ? 1 : 0),
    0,
  );
}

/**
 * Adds up the units of movements that have the same kind, item and reservation, because these may come in any order.
 */
export function merged(movements: readonly Movement[]): unknown {
  const sums = new Map<string, number>();
  for (const { kind, sku, reservation, quantity } of movements) {
    const key = `${kind} ${keyText(sku)} ${reservation}`;
    sums.set(key, (sums.get(key) ?? 0) + quantity);
  }
  return sums;
}

/** Returns the auditor's reservations whose places are after `from` and that pass the filter. */
export function listedFrom(
  from: number,
  auditor: Ledger,
  { state, user, sku }: { [name in 'state' | 'user' | 'sku']: List[name] | undefined },
  now: number,
): Found[] {
  return auditor
    .listed()
    .filter((name) => auditor.place(name) > from)
    .map((name) => auditor.found(name, now) as Found)
    .filter((one) => state === undefined || one.state === state)
    .filter((one) => user === undefined || isSameKey(one.user, user))
    .filter((one) => sku === undefined || one.lines.some((line) => line.sku === sku));
}
