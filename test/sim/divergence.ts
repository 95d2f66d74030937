import { inspect, isDeepStrictEqual } from 'node:util';

/** The answer of sluice is not the one that the auditor predicts. */
export class Divergence extends Error {
  override get name(): string {
    return 'Divergence';
  }
}

const shown = (value: unknown): string => inspect(value, { depth: 6, breakLength: 110, sorted: true });

/** Compares answers by their own properties, without those of their prototypes (`toJSON`). */
export function same(what: string, actual: unknown, expected: unknown): void {
  if (isDeepStrictEqual(plain(actual), expected)) return;
  throw new Divergence(`${what}\n  the auditor: ${shown(expected)}\n  sluice:      ${shown(actual)}`);
}

/**
 * Compares times to wait. A double cannot hold more than 26 days in milliseconds to the nanosecond. Beyond that, sluice
 * may return a time that is some nanoseconds too long.
 */
export function sameWait(what: string, actualMs: number, expectedNs: number): void {
  const expected = expectedNs / 1e6;
  if (expectedNs < 2 ** 51 || expected === Infinity) same(what, actualMs, expected);
  else holds(what, Math.abs(actualMs - expected) < 1e-4, { actualMs, expected });
}

function plain(value: unknown): unknown {
  const isAnswer = typeof value === 'object' && value !== null && 'toJSON' in value;
  return isAnswer ? { ...value } : value;
}

export function holds(what: string, condition: boolean, details?: unknown): void {
  if (!condition) throw new Divergence(details === undefined ? what : `${what}: ${shown(details)}`);
}

/** Returns what a call returns, or the code of the sluice error that it throws. */
export function outcome<T>(call: () => T): T | { error: string } {
  try {
    return call();
  } catch (error) {
    return { error: codeOf(error) };
  }
}

/** Returns the code of a sluice error; throws any other error again. */
export function codeOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (!code.startsWith('ERR_SLUICE_')) throw error;
  return code;
}
