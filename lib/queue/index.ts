export { Batcher } from './batcher.js';
export type { DropReason, QueueEvents } from './notices.js';
export type {
  AttachOptions,
  ConsumeOptions,
  Overflow,
  PushOptions,
  QueueOptions,
  WaitOptions,
} from './options.js';
export { Permit } from './permit.js';
export { Queue, type QueueHandle } from './queue.js';
