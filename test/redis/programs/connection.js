import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { createClient } from 'redis';
import { ioRedis, nodeRedis } from 'sluice/redis';
import { forIoRedis, forNodeRedis } from '../client-options.js';

/**
 * Connects to a server that may be away for a while.
 *
 * @param {number} port
 * @param {string} client 'ioredis' or 'redis'
 * @returns {Promise<import('sluice/redis').RedisPort>}
 */
export async function connect(port, client) {
  for (;;) {
    try {
      if (client === 'ioredis') {
        const made = new Redis(port, '127.0.0.1', { ...forIoRedis, lazyConnect: true });
        made.on('error', () => {});
        await made.connect();
        return ioRedis(made);
      }
      const made = createClient(forNodeRedis(port));
      made.on('error', () => {});
      await made.connect();
      return nodeRedis(made);
    } catch {
      await sleep(50);
    }
  }
}
