// Simulates sales on a Redis server against their auditor: see `usage`.

import { parseArgs } from 'node:util';
import { BadArgument, seedRange, wholeNumber } from '../../../support/seed-arguments.js';
import { connect, disconnect } from '../../clients.js';
import { endServers, Server, servers } from '../../servers.js';
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
  const [first, last] = seedRange(values.seed, values.seeds);
  const together = wholeNumber('--together', values.together, 1, 64);
  const binary = servers.find((one) => one.binary === values.binary);
  if (binary === undefined) throw new BadArgument(`--binary: no server is called "${values.binary}"`);
  const server = await Server.start(binary.binary);
  const port = await connect(server.port);
  const { passed, failures } = await runSeeds(port, first, last, together);
  for (const failure of failures) console.log(failure);
  console.log(`sim:redis: ${passed} passed, ${failures.length} failed`);
  return failures.length === 0 && passed > 0;
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
