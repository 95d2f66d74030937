import { afterAll, describe, expect, it } from 'vitest';
import { connect, disconnect } from '../../clients.js';
import { endServers, Server, servers } from '../../servers.js';
import { runSeeds } from './seeds.js';

afterAll(async () => {
  disconnect();
  await endServers();
});

/** `SLUICE_SIM_SEEDS=1-1000` runs more. */
const [first = 1, last = first] = (process.env['SLUICE_SIM_SEEDS'] ?? '1-12').split('-').map(Number);
const timeout = 60_000 + (last - first) * 20_000;

describe.each(servers)('The simulator of sales on $binary', ({ binary, missing }) => {
  it.skipIf(missing)(
    `finds nothing that its auditor excludes, with the seeds ${first} to ${last}`,
    { timeout },
    async () => {
      const server = await Server.start(binary);
      const { passed, failures } = await runSeeds(await connect(server.port), first, last, 6);
      expect(failures, failures.join('\n')).toEqual([]);
      expect(passed).toBe(last - first + 1);
    },
  );
});
