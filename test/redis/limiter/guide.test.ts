import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, it } from 'vitest';
import { nodes, run } from '../../program.js';
import { endServers, noRedis, Server } from '../servers.js';

const guide = readFileSync(fileURLToPath(new URL('../../../docs/guide/redis.md', import.meta.url)), 'utf8');
const [, snippet = ''] = /^```ts\n(import \{ RedisLimiter \}[\s\S]*?)^```$/m.exec(guide) ?? [];
const file = new URL('./limiter-of-the-guide.tmp.mjs', import.meta.url);

afterAll(async () => {
  rmSync(file, { force: true });
  await endServers();
});

it.skipIf(noRedis).each(nodes)('the limiter of docs/guide/redis.md sells ($name)', async ({ node }) => {
  expect(snippet).toContain('RedisLimiter.open');
  const server = await Server.start();
  const before = `
    import { createClient } from 'redis';
    import { nodeRedis } from 'sluice/redis';
    const client = createClient({ url: 'redis://127.0.0.1:${server.port}', disableOfflineQueue: true });
    await client.connect();
    const redis = nodeRedis(client);
    const sell = () => console.log('sold');
    const sellWithoutLimit = () => console.log('sold without a limit');
    const retryLater = (ms) => console.log('later', ms);
  `;
  writeFileSync(file, `${before}\n${snippet}\nclient.destroy();\n`);
  const { code, stdout, stderr } = await run(file, [], { node });
  expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: 'sold\n', stderr: '' });
});
