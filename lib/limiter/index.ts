export { limiterLimits } from '../binding/index.js';
export {
  type Allowed,
  type Decision,
  type Denied,
  type Outlook,
  type Tier,
  tierOf,
  windowOf,
} from './decision.js';
export type { LimiterStats, Limits } from './figures.js';
export { fitsKey, type Key, keyError, takesKey } from './key.js';
export {
  attachLimiter,
  holdsDepth,
  Limiter,
  type LimiterHandle,
  nativeLimiter,
  roomsOf,
} from './limiter.js';
export { blockMsMax, costMax, keysMax, type LimiterChanges, type LimiterOptions } from './options.js';
export { type AcquireOptions, checkCharge, checkedRequest, type TryAcquireOptions } from './request.js';
export { refundPart } from './returns.js';
export type { Room } from './rooms.js';
export {
  type CalendarPeriod,
  type CalendarWindow,
  type SlidingWindow,
  type WindowChanges,
  type WindowLimits,
  type WindowOption,
  windowLengthMs,
} from './windows.js';
