// Simulates sales on a Redis server against their auditor: see `usage`.

import { parseArgs } from 'node:util';
import { connect, disconnect } from '../../clients.js';
import { endServers, Server } from '../../servers.js';
import { runSeeds } from './seeds.js';

const usage = `npm run sim:redis -- [options]
  --seed N         the seed of one run
  --seeds A-B      the seeds of several; default: 1-100
  --together N     so many runs at a time; default: 8
  --binary NAME    redis-server or valkey-server; default: redis-server`;

async function main(): Promise<boolean> {
  const { values } = parseArgs({
    options: {
      seed: { type: 'string' },
      seeds: { type: 'string', default: '1-100' },
      together: { type: 'string', default: '8' },
      binary: { type: 'string', default: 'redis-server' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    console.log(usage);
    return true;
  }
  const [first = 0, last = first] = (values.seed ?? values.seeds).split('-').map(Number);
  const server = await Server.start(values.binary as 'redis-server');
  const port = await connect(server.port);
  const { passed, failures } = await runSeeds(port, first, last, Number(values.together));
  for (const failure of failures) console.log(failure);
  console.log(`sim:redis: ${passed} passed, ${failures.length} failed`);
  return failures.length === 0;
}

try {
  process.exitCode = (await main()) ? 0 : 1;
} catch (error) {
  console.error(error instanceof Error && 'code' in error ? `${error.message}\n${usage}` : error);
  process.exitCode = 2;
} finally {
  disconnect();
  await endServers();
}
