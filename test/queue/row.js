import { record, u32 } from 'sluice';

/** The simplest record. */
export const Row = record({ number: u32 });

/**
 * Returns `count` rows, numbered from `first`.
 * @param {number} first
 * @param {number} count
 */
export function rows(first, count) {
  return Array.from({ length: count }, (_, i) => ({ number: first + i }));
}
