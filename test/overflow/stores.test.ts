import { execFileSync } from 'node:child_process';
import { afterAll } from 'vitest';
import { nodes } from '../program.js';
import { endServers, servers } from '../redis/servers.js';
import { conforms } from './conformance.js';
import { redisService } from './redis-service.js';

/** The binaries that have `node:sqlite` without a flag, the oldest first. */
const withSqlite = nodes.filter(
  ({ node }) =>
    execFileSync(node, ['-p', 'process.versions.sqlite ?? ""'], { encoding: 'utf8' }).trim() !== '',
);
const [oldest] = withSqlite;
const newest = withSqlite.at(-1);

const sqlite = {
  module: new URL('./stores/sqlite.js', import.meta.url),
  hasFiles: true,
  checksStructure: true,
};
conforms({
  ...sqlite,
  name: `sqliteStore, Node.js ${oldest?.name ?? '(none that has it)'}`,
  node: oldest?.node,
});
if (newest !== oldest) {
  conforms({ ...sqlite, name: `sqliteStore, Node.js ${newest?.name}`, node: newest?.node });
}

conforms({
  name: `lmdbStore, Node.js ${process.version}`,
  node: process.execPath,
  module: new URL('./stores/lmdb.js', import.meta.url),
  hasFiles: true,
  checksStructure: false,
});

afterAll(endServers);

const [first] = nodes;
const last = nodes.at(-1);
for (const { binary, missing } of servers) {
  for (const [client, by, module] of [
    ['node-redis', first, new URL('./stores/node-redis.js', import.meta.url)],
    ['io-redis', last, new URL('./stores/io-redis.js', import.meta.url)],
  ] as const) {
    conforms({
      name: `redisStore, ${binary}, ${client}, Node.js ${by?.name}`,
      node: missing ? undefined : by?.node,
      module,
      hasFiles: false,
      serve: () => redisService(binary),
      checksStructure: false,
    });
  }
}
