import { auditFigures, bytesOf, checkedAnswer, figuresOf, type NativeStock } from '../binding/index.js';
import { SluiceError } from '../input/index.js';
import { countsOf } from './figures.js';
import type { StockStaging } from './staging.js';

/** The counts of an audit that found no error. */
export interface AuditReport {
  /** Items looked at. */
  readonly items: number;
  /** Reservations held at the moment of the audit. */
  readonly held: number;
}

/** See `Stock.audit`. */
export function audited(native: NativeStock, staging: StockStaging): AuditReport {
  const answer = native.audit();
  if (typeof answer === 'number') checkedAnswer('Stock.audit', answer);
  const problem = problemOf(answer, staging);
  if (problem !== undefined) throw new SluiceError('ERR_SLUICE_AUDIT', `Stock.audit: ${problem}`);
  const { items, held } = figuresOf(auditFigures, staging.numbers, staging.figures);
  return { items, held };
}

/**
 * Describes the error that an audit found; undefined if it found none. `sku` names the item whose counts do not add up.
 */
function problemOf(sku: number | string | undefined, { numbers, figures }: StockStaging): string | undefined {
  const report = figuresOf(auditFigures, numbers, figures);
  if (sku !== undefined) {
    const { reservedFound, usersFound } = report;
    const { total, available, reserved, sold } = countsOf(numbers, figures + bytesOf(auditFigures));
    return (
      `sku ${sku}: total ${total}, available ${available}, reserved ${reserved}, sold ${sold}, but its reservations ` +
      `hold ${reservedFound} and its users ${usersFound}`
    );
  }
  const { lines, free, slots, users, usersCounted, usersOff, shardsOff, neverDue } = report;
  if (lines + free !== slots) return `${lines} places of reservations held and ${free} free of ${slots}`;
  if (users !== usersCounted) return `${users} users with units, but ${usersCounted} counted`;
  if (usersOff > 0) return `${usersOff} users whose counts differ from what they hold and have bought`;
  if (shardsOff > 0) return `${shardsOff} shards whose own reservations do not add up`;
  if (neverDue > 0) return `${neverDue} reservations that would not be found when they are due`;
  return undefined;
}
