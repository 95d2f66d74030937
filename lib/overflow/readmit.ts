import { optionError, SluiceError } from '../input/index.js';
import type { LayeredGate, Readmission } from '../queue/index.js';

/** Errors of one order. An error with another code is one of the gate. */
const ofOrder: ReadonlySet<string> = new Set(['ERR_SLUICE_FIELD', 'ERR_SLUICE_OPTION']);

/** What the gate answers, or the error of an order whose key or fields it cannot take. */
export type Readmitted = Readmission | { readonly is: 'bad'; readonly error: unknown };

/** Admits an order that an earlier process has stored. @throws the errors of the gate. */
export function readmit<T>(
  gate: LayeredGate<T>,
  order: T,
  keyOf: ((order: T) => unknown) | undefined,
): Readmitted {
  try {
    const key = keyOf?.(order);
    if (gate.keyed && key === undefined) throw optionError('spill: keyOf', 'a key', key, true);
    return gate.readmit(order, key);
  } catch (error) {
    if (error instanceof SluiceError && !ofOrder.has(error.code)) throw error;
    return { is: 'bad', error };
  }
}
