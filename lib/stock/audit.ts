import type { NativeAudit } from '../binding/index.js';
import { bare, SluiceError } from '../input/index.js';

export interface AuditReport {
  readonly items: number;
  /** Reservations held at the moment of the audit. */
  readonly held: number;
}

/** @throws SluiceError (`ERR_SLUICE_AUDIT`) if something does not add up. */
export function checkedReport(report: NativeAudit): AuditReport {
  const problem = problemOf(report);
  if (problem !== undefined) throw new SluiceError('ERR_SLUICE_AUDIT', `Stock.audit: ${problem}`);
  return { items: report.items, held: report.held };
}

function problemOf(report: NativeAudit): string | undefined {
  const { mismatch, lines, free, slots, users, usersCounted, usersOff, shardsOff, neverDue } = bare(report);
  if (mismatch !== undefined) {
    const { sku, total, available, reserved, sold, reservedFound, usersFound } = mismatch;
    return (
      `sku ${sku}: total ${total}, available ${available}, reserved ${reserved}, sold ${sold}, but its reservations ` +
      `hold ${reservedFound} and its users ${usersFound}`
    );
  }
  if (lines + free !== slots) return `${lines} places of reservations held and ${free} free of ${slots}`;
  if (users !== usersCounted) return `${users} users with units, but ${usersCounted} counted`;
  if (usersOff > 0) return `${usersOff} users have other counts than they hold and have bought`;
  if (shardsOff > 0) return `${shardsOff} shards whose own reservations do not add up`;
  if (neverDue > 0) return `${neverDue} reservations that would not be found when they are due`;
  return undefined;
}
