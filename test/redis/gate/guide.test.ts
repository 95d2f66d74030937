import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, it } from 'vitest';
import { nodes, run } from '../../program.js';
import { endServers, noRedis, Server } from '../servers.js';

const guide = readFileSync(
  fileURLToPath(new URL('../../../docs/guide/redis-sale.md', import.meta.url)),
  'utf8',
);
const [, program = ''] = /^```js\n(\/\/ sale\.mjs\n[\s\S]*?)^```$/m.exec(guide) ?? [];
const [, printed = ''] = /^```console\n\$ [^\n]*\n([\s\S]*?)^```$/m.exec(guide) ?? [];
// Beside this file, so that it finds sluice and its client.
const file = (where: string) => new URL(`./sale-${where}.tmp.mjs`, import.meta.url);

afterAll(async () => {
  for (const where of ['here', 'redis']) rmSync(file(where), { force: true });
  await endServers();
});

it.each(nodes)('the program of docs/guide/redis-sale.md sells in one process ($name)', async ({ node }) => {
  expect(program).toContain('RedisGate');
  writeFileSync(file('here'), program.replaceAll('process.env.REDIS_URL', "''"));
  const { code, stdout, stderr } = await run(file('here'), [], { node });
  expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: printed, stderr: '' });
});

it.skipIf(noRedis).each(nodes)('and on Redis, with the same output ($name)', async ({ node }) => {
  const server = await Server.start();
  writeFileSync(
    file('redis'),
    program.replaceAll('process.env.REDIS_URL', `'redis://127.0.0.1:${server.port}'`),
  );
  const { code, stdout, stderr } = await run(file('redis'), [], { node });
  expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: printed, stderr: '' });
});
