export type { BackoffOptions } from '../backoff.js';
export type { Hold } from '../gate/index.js';
export type { AuditReport, ServerWarning } from './audit.js';
export { type IoRedisClient, ioRedis } from './io-redis.js';
export type { OrderHandler } from './lane.js';
export { type NodeRedisClient, nodeRedis } from './node-redis.js';
export type { RedisPort } from './port.js';
export {
  type Pushed,
  type PushManyAnswer,
  type RedisPushOptions,
  RedisQueue,
  type RedisQueueOptions,
  type RedisQueueStats,
} from './queue.js';
export { type RedisStoreOptions, redisStore } from './store.js';
export type { RedisWorkersOptions } from './worker-options.js';
export {
  type RedisBacklog,
  type RedisConsumer,
  type RedisRunOptions,
  RedisWorkers,
  type RedisWorkersStats,
} from './workers.js';
