export type { AuditReport, ServerWarning } from './audit.js';
export type { OrderHandler } from './lane.js';
export {
  insideRedisQueue,
  type Pushed,
  type PushManyAnswer,
  type RedisPushOptions,
  RedisQueue,
  type RedisQueueInside,
  type RedisQueueOptions,
  type RedisQueueStats,
} from './queue.js';
export type { RedisWorkersOptions } from './worker-options.js';
export {
  type RedisBacklog,
  type RedisConsumer,
  type RedisRunOptions,
  RedisWorkers,
  type RedisWorkersStats,
} from './workers.js';
