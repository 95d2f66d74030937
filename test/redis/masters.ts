import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { Cluster } from 'ioredis';
import { createCluster } from 'redis';
import { ioRedis, nodeRedis, type RedisPort } from 'sluice/redis';
import { connect } from './clients.js';
import { until } from './scene.js';
import { type Binary, Server } from './servers.js';

const slots = 16_384;
/** The masters of the cluster of the test file. */
export const masters: Server[] = [];
/** A connection to each of them. */
export let admins: RedisPort[] = [];

/** Starts three masters, each with a third of the slots. */
export async function startCluster(binary: Binary): Promise<void> {
  const args = ['--cluster-enabled', 'yes', '--cluster-node-timeout', '2000', '--appendonly', 'no'];
  for (let i = 0; i < 3; i++) masters.push(await Server.start(binary, args));
  admins = await Promise.all(masters.map(({ port }) => connect(port)));
  const each = Math.ceil(slots / 3);
  for (const [i, admin] of admins.entries()) {
    const range = [i * each, Math.min(slots, (i + 1) * each) - 1].map(String);
    await admin.send(['CLUSTER', 'ADDSLOTSRANGE', ...range]);
    await admin.send(['CLUSTER', 'MEET', '127.0.0.1', String(masters[0]?.port)]);
  }
  await until('the cluster is up', async () => {
    const infos = await Promise.all(admins.map((admin) => admin.send(['CLUSTER', 'INFO'])));
    return infos.every((info) => /cluster_state:ok/.test(String(info)) && /known_nodes:3/.test(String(info)));
  });
}

const opened: Array<() => void> = [];

/** Closes the clients of the cluster. For `afterEach`. */
export function leaveCluster(): void {
  for (const close of opened.splice(0)) close();
}

/** Makes a client of the cluster, by the name of its package. */
export const cluster: Record<string, (protocol: 2 | 3) => Promise<RedisPort>> = {
  async redis(RESP) {
    const rootNodes = [{ url: `redis://127.0.0.1:${masters[0]?.port}` }];
    const client = createCluster({ rootNodes, defaults: { disableOfflineQueue: true }, RESP });
    client.on('error', () => {});
    await client.connect();
    opened.push(() => client.destroy());
    return nodeRedis(client);
  },
  async ioredis(protocol) {
    const redisOptions = { protocol, autoResendUnfulfilledCommands: false, maxRetriesPerRequest: 0 };
    const options = { enableOfflineQueue: false, redisOptions };
    const client = new Cluster([{ host: '127.0.0.1', port: masters[0]?.port }], options);
    client.on('error', () => {});
    await once(client, 'ready');
    opened.push(() => client.disconnect());
    return ioRedis(client);
  },
};

/** Moves the slot of a key to another master, one key after the other, and returns how many keys it moved. */
export async function moveSlot(key: string): Promise<number> {
  const slot = String(await admins[0]?.send(['CLUSTER', 'KEYSLOT', key]));
  const ids = await Promise.all(admins.map(async (admin) => String(await admin.send(['CLUSTER', 'MYID']))));
  const nodes = (await admins[0]?.send(['CLUSTER', 'SLOTS'])) as Array<
    [number, number, [string, number, string]]
  >;
  const owner = nodes.find(([first, last]) => Number(slot) >= first && Number(slot) <= last)?.[2][2];
  const from = ids.indexOf(String(owner));
  const to = (from + 1) % 3;
  const [source, target] = [admins[from], admins[to]];
  await target?.send(['CLUSTER', 'SETSLOT', slot, 'IMPORTING', ids[from] ?? '']);
  await source?.send(['CLUSTER', 'SETSLOT', slot, 'MIGRATING', ids[to] ?? '']);
  let moved = 0;
  for (;;) {
    const keys = (await source?.send(['CLUSTER', 'GETKEYSINSLOT', slot, '5'])) as string[];
    if (keys.length === 0) break;
    await source?.send(['MIGRATE', '127.0.0.1', String(masters[to]?.port), '', '0', '5000', 'KEYS', ...keys]);
    moved += keys.length;
    await sleep(5); // commands that find half of their keys come meanwhile
  }
  for (const i of [to, from, 3 - to - from])
    await admins[i]?.send(['CLUSTER', 'SETSLOT', slot, 'NODE', ids[to] ?? '']);
  return moved;
}
