import type { FoundOnRedis } from 'sluice/redis';
import type { Line } from './plan.js';

/** Clocks are read in whole milliseconds, on both sides. */
export const roundingMs = 3;

export interface Counts {
  readonly total: number;
  readonly available: number;
  readonly reserved: number;
  readonly sold: number;
}

/** All that the server has, read from `atMs` on, within `withinMs`. */
export interface Truth {
  readonly atMs: number;
  readonly withinMs: number;
  /** For each wish its reservation. */
  readonly found: ReadonlyArray<FoundOnRedis | undefined>;
  readonly counts: ReadonlyMap<number, Counts>;
}

export function sameLines(lines: readonly Line[], found: FoundOnRedis['lines']): boolean {
  return (
    lines.length === found.length &&
    lines.every(({ sku, quantity }) => found.some((one) => one.sku === sku && one.quantity === quantity))
  );
}

export function unitsIn(lines: FoundOnRedis['lines'], sku: number): number {
  return lines.reduce((sum, line) => sum + (line.sku === sku ? line.quantity : 0), 0);
}

export function unitsOf(
  { found, withinMs }: Truth,
  sku: number,
): { held: number; mayBeHeld: number; sold: number } {
  const units = { held: 0, mayBeHeld: 0, sold: 0 };
  for (const one of found) {
    if (one === undefined) continue;
    const n = unitsIn(one.lines, sku);
    if (one.state === 'confirmed') units.sold += n;
    if (one.state === 'held') units.mayBeHeld += n;
    if (one.state === 'held' && one.expiresInMs > withinMs + roundingMs) units.held += n;
  }
  return units;
}
