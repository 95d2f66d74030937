export { native } from './addon.js';
export { alive, DISPOSED, disposed, failed, made, NO_RESOURCES } from './answers.js';
export type { NativeClock } from './clock.js';
export * from './contract.js';
export type { GateStats, NativeFields, NativeGate, NativeParts } from './gate.js';
export { checkedHandle, type Handle, type NativeHandle, publicHandle } from './handle.js';
export type { NativeKey, NativeLimiter, NativeWindow } from './limiter.js';
export {
  arrays,
  copied,
  Finalizer,
  isMaker,
  isUint8Array,
  type Maker,
  Marks,
  Memory,
  maker,
  newBuffer,
  Octets,
  View,
  Weak,
} from './memory.js';
export {
  CLOSED,
  CLOSED_WAITER,
  ENDED,
  LINE_FULL,
  type NativeQueue,
  NOT_CONSUMER,
  PARKED,
  type QueueStaging,
  type QueueStats,
  SERVED_WAITER,
  type WaitStats,
} from './queue.js';
export type {
  NativeAudit,
  NativeMovement,
  NativeReservation,
  NativeStock,
  StockCounts,
  StockStats,
} from './stock.js';
export { byNumber, quoted } from './words.js';
