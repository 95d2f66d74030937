export { Batcher } from './batcher.js';
export type { DropReason, QueueEvents } from './events.js';
export { type Call, checkedLimits, type HandlerContext } from './handlers.js';
export {
  type AttachOptions,
  type ConsumeOptions,
  type Overflow,
  overflows,
  type PushOptions,
  type QueueOptions,
  type WaitOptions,
} from './options.js';
export { Permit } from './permit.js';
export { insideQueue, Queue, type QueueHandle, type QueueInside } from './queue.js';
