export {
  type Decision,
  Limiter,
  type LimiterHandle,
  type LimiterOptions,
  type LimiterStats,
  type Tier,
  tierName,
} from './limiter.js';
