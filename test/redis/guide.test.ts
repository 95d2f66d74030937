import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, it } from 'vitest';
import { nodes, run } from '../program.js';
import { endServers, noRedis, Server } from './servers.js';

const guide = readFileSync(fileURLToPath(new URL('../../docs/guide/redis.md', import.meta.url)), 'utf8');
const [, program = ''] = /^```js\n(\/\/ orders\.mjs\n[\s\S]*?)^```$/m.exec(guide) ?? [];
const [, printed = ''] = /^```console\n\$ [^\n]*\n([\s\S]*?)^```$/m.exec(guide) ?? [];
// Beside this file, so that it finds sluice and its client.
const file = new URL('./orders-of-the-guide.tmp.mjs', import.meta.url);

afterAll(async () => {
  rmSync(file, { force: true });
  await endServers();
});

it.skipIf(noRedis).each(nodes)(
  'the program of docs/guide/redis.md prints what the guide says ($name)',
  async ({ node }) => {
    expect(program).toContain('RedisWorkers');
    const server = await Server.start();
    writeFileSync(file, program.replace('process.env.REDIS_URL', `'redis://127.0.0.1:${server.port}'`));
    const { code, stdout, stderr } = await run(file, [], { node });
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: printed, stderr: '' });
  },
);
