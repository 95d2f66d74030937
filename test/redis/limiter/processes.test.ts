import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { RedisPort } from 'sluice/redis';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { connect, disconnect } from '../clients.js';
import { until } from '../scene.js';
import { endServers, Server, servers } from '../servers.js';
import { closeLimiters, newName, open } from './scene.js';

const program = fileURLToPath(new URL('../programs/limited.js', import.meta.url));
const limit = 60;
const windowMs = 400;
const slidingWindow = { limit, windowMs, buckets: 8 };

describe.each(servers)('Processes on $binary', ({ binary, missing }) => {
  let server: Server;
  let redis: RedisPort;
  let directory: string;
  const running = new Set<ChildProcess>();
  beforeAll(async () => {
    if (missing) return;
    server = await Server.start(binary);
    redis = await connect(server.port);
    directory = mkdtempSync(join(tmpdir(), 'sluice-limiter-'));
  });
  afterEach(async () => {
    await closeLimiters();
    for (const child of running) {
      const exited = once(child, 'exit');
      child.kill('SIGKILL');
      await exited;
    }
  });
  afterAll(async () => {
    disconnect();
    await endServers();
    if (directory !== undefined) rmSync(directory, { recursive: true, force: true });
  });

  async function start(name: string, options: object): Promise<ChildProcess> {
    const given = { port: server.port, file: join(directory, `${name}-${running.size}`), name, ...options };
    const child = spawn(process.execPath, [program, JSON.stringify(given)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    running.add(child);
    child.once('exit', () => running.delete(child));
    await once(child.stdout, 'data');
    return child;
  }

  /** What the processes of a name were allowed: the times before and after each, in milliseconds. */
  function booked(name: string): Array<{ before: number; after: number }> {
    const times = [];
    for (const file of readdirSync(directory).filter((one) => one.startsWith(name))) {
      for (const line of readFileSync(join(directory, file), 'utf8').split('\n')) {
        const [before, after] = line.split(' ').map(Number);
        if (after !== undefined) times.push({ before: before ?? 0, after });
      }
    }
    return times.sort((a, b) => a.before - b.before);
  }

  /** The most that were allowed for sure in one window: those that began and ended in it. */
  function worst(times: ReadonlyArray<{ before: number; after: number }>): number {
    return times.reduce((most, { before: from }, i) => {
      const sure = times.slice(i, i + 2 * limit).filter(({ after }) => after < from + windowMs);
      return Math.max(most, sure.length);
    }, 0);
  }

  describe.each([
    ['one call a request', false],
    ['with leases', { maxTokens: 20, ttlMs: 40 }],
  ])('%s', (_, lease) => {
    it.skipIf(missing)('stay below the limit in every window, also when one is killed', async () => {
      const name = newName();
      const children = await Promise.all([0, 1, 2].map(() => start(name, { slidingWindow, lease })));
      await until('they are at work', () => booked(name).length > 2 * limit, 30_000);
      children[0]?.kill('SIGKILL'); // with what it has leased
      await until('the others go on', () => booked(name).length > 8 * limit, 30_000);
      const reports = await Promise.all(
        children.slice(1).map(async (child) => {
          const said = once(child.stdout as NodeJS.ReadableStream, 'data');
          child.kill('SIGTERM');
          return JSON.parse(String(await said));
        }),
      );
      const times = booked(name);
      expect(worst(times)).toBeLessThanOrEqual(limit);
      expect(worst(times)).toBeGreaterThan(limit / 3);
      const paid = reports.reduce((sum, { paidByLease }) => sum + paidByLease, 0);
      if (lease === false) expect(paid).toBe(0);
      else expect(paid).toBeGreaterThan(0);
      // What the dead one had leased is charged until its bucket has left the window, and no longer.
      const rest = await open(redis, { name, slidingWindow });
      await until('all is free again', async () => (await rest.peek()).remaining === limit);
    });
  });
});
