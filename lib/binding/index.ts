export { native } from './addon.js';
export { alive, checkedAnswer, DISPOSED, disposed, failed, made, NO_RESOURCES } from './answers.js';
export { Attachment } from './attachment.js';
export type { NativeClock } from './clock.js';
export * from './contract.js';
export { bytesOf, figuresOf } from './figures.js';
export type { NativeFields, NativeGate, NativeParts } from './gate.js';
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
  ELSEWHERE,
  ENDED,
  ENDED_WAITER,
  type HotCalls,
  LINE_FULL,
  type NativeQueue,
  NOT_CONSUMER,
  PARKED,
  type QueueStaging,
  SERVED_WAITER,
  staged,
} from './queue.js';
export type {
  NativeMovement,
  NativeReservation,
  NativeStock,
} from './stock.js';
export type { QueueFace } from './window.js';
export { byNumber, quoted } from './words.js';
