// @ts-check
import { f64, record, u16, u32, u53, u64 } from 'sluice';

/** An order that found no room in the queue, in the stream between the server and the cashiers of the stream. */
export const StreamedOrder = record({
  orderId: u53,
  user: u53,
  sku: u32,
  quantity: u16,
  reservation: u64,
  /** monotonicMs() just before the order was admitted */
  admittedAt: f64,
});

export const GROUP = 'cashiers';
