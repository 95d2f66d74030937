export { Batcher } from './batcher.js';
export type { ConsumedBy } from './consume-loop.js';
export type { DropReason, QueueEvents } from './events.js';
export { type Call, checkedLimits, type HandlerContext, Handlers, type Limits } from './handlers.js';
export {
  type Held,
  type LayeredGate,
  type LayeredQueue,
  type OverflowLayer,
  OverflowPlan,
  type Readmission,
} from './layer.js';
export type {
  AttachOptions,
  ConsumeInPlaceOptions,
  ConsumeOptions,
  Overflow,
  PushOptions,
  QueueOptions,
  WaitOptions,
} from './options.js';
export { Permit } from './permit.js';
export { attachQueue, insideQueue, Queue, type QueueHandle, type QueueInside } from './queue.js';
export type { QueueStats, WaitStats } from './stats.js';
export { WaitHistogram } from './wait-histogram.js';
