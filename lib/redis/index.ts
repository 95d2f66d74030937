export type { BackoffOptions } from '../backoff.js';
export type { Hold } from '../gate/index.js';
export {
  type IoRedisClient,
  ioRedis,
  type NodeRedisClient,
  nodeRedis,
  type RedisPort,
} from './client/index.js';
export {
  type RedisAllowed,
  type RedisDecision,
  type RedisDenied,
  RedisLimiter,
  type RedisLimiterOptions,
  type RedisLimiterStats,
  type RedisOutlook,
  type RedisTier,
  type RedisWindow,
  type TokenLeaseOptions,
} from './limiter/index.js';
export {
  type DurabilityOptions,
  type FoundOnRedis,
  type LeaseOptions,
  type RedisMovement,
  type RedisRefusal,
  type RedisRefused,
  RedisStock,
  type RedisStockAudit,
  type RedisStockCounts,
  type RedisStockItem,
  type RedisStockOptions,
  type RedisStockStats,
} from './stock/index.js';
export { type RedisStoreOptions, redisStore } from './store/store.js';
export type { AuditReport, ServerWarning } from './stream/audit.js';
export type { OrderHandler } from './stream/lane.js';
export {
  type Pushed,
  type PushManyAnswer,
  type RedisPushOptions,
  RedisQueue,
  type RedisQueueOptions,
  type RedisQueueStats,
} from './stream/queue.js';
export type { RedisWorkersOptions } from './stream/worker-options.js';
export {
  type RedisBacklog,
  type RedisConsumer,
  type RedisRunOptions,
  RedisWorkers,
  type RedisWorkersStats,
} from './stream/workers.js';
