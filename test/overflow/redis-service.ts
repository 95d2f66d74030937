import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Binary, Server } from '../redis/servers.js';
import type { Service } from './conformance.js';

/** Starts a server that loses nothing, and says in its directory where it is. End it with `endServers`. */
export async function redisService(binary: Binary): Promise<Service> {
  const server = await Server.start(binary, ['--appendonly', 'yes', '--appendfsync', 'always']);
  writeFileSync(join(server.directory, 'port'), String(server.port));
  return {
    directory: server.directory,
    start: () => server.start(),
    stop: () => server.end('SIGKILL'),
  };
}
