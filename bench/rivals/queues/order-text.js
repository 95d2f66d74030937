/** The size of an order as base64: see thread-stream.js. */
import { ORDER_BYTES } from './order-bytes.js';

/** One byte more than an order has: a multiple of three bytes becomes text without padding. */
export const TEXT_BYTES = ORDER_BYTES + 1;
export const TEXT_CHARACTERS = (TEXT_BYTES / 3) * 4;
