/**
 * Queue, workers, stock, limiter and gate on a Redis or Valkey server, for several processes and machines.
 *
 * @module sluice/redis
 */
export type { BackoffOptions } from '../backoff.js';
export type { AdmitOptions, Hold } from '../gate/index.js';
export {
  type IoRedisClient,
  ioRedis,
  type NodeRedisClient,
  nodeRedis,
  type RedisPort,
} from './client/index.js';
export {
  type RedisAdmission,
  RedisGate,
  type RedisGateOptions,
  type RedisGateStats,
} from './gate/index.js';
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
export {
  type AuditReport,
  type OrderHandler,
  type Pushed,
  type PushManyAnswer,
  type RedisBacklog,
  type RedisConsumer,
  type RedisPushOptions,
  RedisQueue,
  type RedisQueueOptions,
  type RedisQueueStats,
  type RedisRunOptions,
  RedisWorkers,
  type RedisWorkersOptions,
  type RedisWorkersStats,
  type ServerWarning,
} from './stream/index.js';
