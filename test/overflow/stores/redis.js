import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { redisStore } from 'sluice/redis';

/**
 * A store of the server that the directory has the port of. It closes its client when it is closed, so that a program
 * that knows nothing of clients ends.
 */
export function storeAt(directory, options, connect) {
  const port = Number(readFileSync(join(directory, 'port'), 'utf8'));
  return {
    name: 'redis',
    maxRecords: 1_000_000,
    maxBytes: 2 ** 30,
    ...options,
    async open(format) {
      const redis = await connect(port);
      const of = { redis, stream: 'shop:{x1}:overflow', leaseMs: 1_500, timeoutMs: 20_000, ...options };
      const store = await redisStore(of).open(format);
      const call = (name) => store[name].bind(store);
      return {
        ...{ content: store.content, append: call('append'), take: call('take'), remove: call('remove') },
        async close() {
          await store.close();
          redis.close();
        },
      };
    },
  };
}
