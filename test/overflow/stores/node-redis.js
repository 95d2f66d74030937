import { createClient } from 'redis';
import { nodeRedis } from 'sluice/redis';
import { forNodeRedis } from '../../redis/client-options.js';
import { storeAt } from './redis.js';

export const make = (directory, options) =>
  storeAt(directory, options, async (port) => {
    const client = createClient(forNodeRedis(port));
    client.on('error', () => {}); // the commands are rejected
    await client.connect();
    return nodeRedis(client);
  });
