export { type Allowed, type Decision, type Denied, type Outlook, type Tier, tierName } from './decision.js';
export {
  type AcquireOptions,
  isKey,
  type Key,
  Limiter,
  type LimiterHandle,
  type LimiterStats,
  type TryAcquireOptions,
} from './limiter.js';
export type { LimiterChanges, LimiterOptions } from './options.js';
