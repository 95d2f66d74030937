import { connect } from './clients.js';
import { until } from './scene.js';
import type { Server } from './servers.js';

/** Makes a server the replica of the one at `port`, and waits until it follows. */
export async function follow(replica: Server, port: number): Promise<void> {
  const redis = await connect(replica.port);
  await redis.send(['REPLICAOF', '127.0.0.1', String(port)]);
  const isUp = async () =>
    /master_link_status:up/.test(String(await redis.send(['INFO', 'replication']).catch(() => '')));
  await until('the replica follows', isUp, 30_000);
}
