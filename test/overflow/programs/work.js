// The orders of the tests of a dispatcher over a queue that spills.
import { record, u32, u53 } from 'sluice';

export const Order = record({ id: u53, sku: u32, quantity: u32 });
export const orderOf = (id) => ({ id, sku: 1, quantity: 1 });
/** The program `run` leaves orders with greater numbers in the hands of its workers. */
export const lastHandled = 10;
export const orders = 40;
