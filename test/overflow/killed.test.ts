import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { expectEnded, run } from '../program.js';
import { endServers, noRedis } from '../redis/servers.js';
import { replay, seed } from '../seed.js';
import { SeededRandom } from '../seeded-random.js';
import { redisService } from './redis-service.js';
import { storeFiles } from './store-files.js';
import { temporary } from './temporary.js';

const program = new URL('./programs/sale.js', import.meta.url);
const stores = [
  ...storeFiles,
  { name: 'redisStore', file: 'io-redis.js', node: noRedis ? undefined : process.execPath },
];
afterAll(endServers);
/** How often the process is killed. */
const kills = 4;

interface Books {
  readonly durable: Set<number>;
  readonly handled: number[];
  readonly again: Set<number>;
}

function booksIn(log: string): Books {
  const lines = readFileSync(log, 'utf8')
    .split('\n')
    .filter((line) => line.endsWith(']'));
  const entries = lines.map((line) => JSON.parse(line) as [string, number]);
  const ids = (of: string): number[] => entries.filter(([what]) => what === of).map(([, id]) => id);
  return { durable: new Set(ids('durable')), handled: ids('handled'), again: new Set(ids('again')) };
}

describe('A process that is killed', { timeout: 240_000 }, () => {
  for (const { name, file, node } of stores) {
    for (const kind of ['queue', 'gate'] as const) {
      it.skipIf(node === undefined)(`loses no order of a ${kind} that was durable in ${name}`, async () => {
        const place = file === 'io-redis.js' ? (await redisService('redis-server')).directory : temporary();
        const log = join(place, 'log');
        writeFileSync(log, '');
        const module = new URL(`./stores/${file}`, import.meta.url).href;
        const args = [fileURLToPath(program), module, place, log, kind];
        const random = new SeededRandom(seed);
        for (let kill = 0; kill < kills; kill++) {
          const child = spawn(node as string, [...args, 'run'], { stdio: ['ignore', 'ignore', 'inherit'] });
          const target = booksIn(log).durable.size + 200 + random.below(800);
          while (booksIn(log).durable.size < target && child.exitCode === null) await sleep(20);
          expect(child.exitCode, replay).toBe(null);
          child.kill('SIGKILL');
          await once(child, 'close');
        }
        expectEnded(await run(program, [...args.slice(1), 'drain'], { node: node as string }), 0);
        const { durable, handled, again } = booksIn(log);
        const times = new Map<number, number>();
        for (const id of handled) times.set(id, (times.get(id) ?? 0) + 1);
        expect(
          [...durable].filter((id) => !times.has(id)),
          replay,
        ).toEqual([]);
        expect(durable.size).toBeGreaterThan(kills * 200);
        // What was handled twice, was announced as such.
        const doubles = [...times].filter(([, count]) => count > 1).map(([id]) => id);
        expect(
          doubles.filter((id) => !again.has(id)),
          replay,
        ).toEqual([]);
      });
    }
  }
});
