export type {
  RedisAllowed,
  RedisDecision,
  RedisDenied,
  RedisLimiterStats,
  RedisOutlook,
  RedisTier,
} from './decision.js';
export { RedisLimiter } from './limiter.js';
export type { RedisLimiterOptions, RedisWindow, TokenLeaseOptions } from './options.js';
