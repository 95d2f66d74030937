export { codeOf, faultOf, publishFault, redisError, retryMs } from './faults.js';
export { type IoRedisClient, ioRedis } from './io-redis.js';
export { checkedName, hashTag, Keys } from './keys.js';
export { Link } from './link.js';
export { type NodeRedisClient, nodeRedis } from './node-redis.js';
export { checkedPort, type RedisPort } from './port.js';
export { Reader } from './reader.js';
export {
  bytes,
  countsIn,
  entriesOf,
  entryOf,
  list,
  listInJson,
  mapOf,
  noReply,
  type RawEntry,
  text,
} from './replies.js';
export { allowed, Script } from './script.js';
export { Pause, Silent, sleep, within } from './within.js';
