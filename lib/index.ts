export { ManualClock, type ManualClockHandle } from './clock/index.js';
export { SluiceError, type SluiceErrorCode } from './errors.js';
export {
  type Admission,
  Gate,
  type GateConsumeOptions,
  type GateHandle,
  type GateOptions,
  type Hold,
} from './gate/index.js';
export {
  type AcquireOptions,
  type Allowed,
  type Decision,
  type Denied,
  type Key,
  Limiter,
  type LimiterChanges,
  type LimiterHandle,
  type LimiterOptions,
  type LimiterStats,
  type Outlook,
  type Tier,
  type WaitOptions,
} from './limiter/index.js';
export type { GateStats, Limits, QueueStats, StockCounts, StockStats, WaitStats } from './native.js';
export { type ConsumeOptions, Queue, type QueueHandle, type QueueOptions } from './queue/index.js';
export {
  bool,
  bytes,
  type Field,
  f32,
  f64,
  type Infer,
  i8,
  i16,
  i32,
  i64,
  oneOf,
  RecordType,
  type RecordView,
  record,
  u8,
  u16,
  u32,
  u53,
  u64,
  utf8,
} from './record/index.js';
export {
  type AuditReport,
  type Refusal,
  type Refused,
  type Reserved,
  type ReserveOptions,
  type Resolution,
  Stock,
  type StockHandle,
  type StockOptions,
} from './stock/index.js';
