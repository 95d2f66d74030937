// @ts-check
import { bool, f64, oneOf, record, u16, u32, u53, u64, utf8 } from 'sluice';

/**
 * A line of the book that all cashiers of a crew write. A cashier can be killed between any two lines; what it wrote
 * before is in the book.
 */
export const BookLine = record({
  reservation: u64,
  id: u53,
  user: u53,
  sku: u32,
  quantity: u16,
  /** 'taken' by a handler; 'charged', just before the order is decided; 'decided', with the ledger's answer. */
  event: oneOf('taken', 'charged', 'decided'),
  paid: bool,
  result: utf8(24),
  admittedAt: f64,
  /** monotonicMs() */
  at: f64,
});

/** @typedef {import('sluice').Infer<typeof BookLine>} BookLine */
