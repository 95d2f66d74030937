import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { run } from '../program.js';
import { endServers, noRedis, Server } from '../redis/servers.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const examples = readdirSync(join(root, 'examples')).filter(
  (name) => !['flash-sale', 'grafana', 'node_modules'].includes(name),
);
const textOf = (name: string) => readFileSync(join(root, 'examples', name, 'main.js'), 'utf8');
const start = (name: string, execArgv: readonly string[] = []) =>
  run(pathToFileURL(join(root, 'examples', name, 'main.js')), [], { execArgv });

/** Returns what an example prints, as the comment at its end says. */
function printedBy(name: string): string {
  const [, comment = ''] = textOf(name).split('\n// Prints:\n');
  return comment.replaceAll(/^\/\/ /gm, '');
}

afterAll(endServers);

describe('the examples of one idea each', () => {
  it('are ten or more, are listed in docs/examples.md, and have at most 40 lines of code', () => {
    expect(examples.length).toBeGreaterThanOrEqual(10);
    const page = readFileSync(join(root, 'docs/examples.md'), 'utf8');
    const listed = [...page.matchAll(/\(\.\.\/examples\/([a-z-]+)\/main\.js\)/g)].map(([, name]) => name);
    expect(listed.sort()).toEqual([...examples].sort());
    for (const name of examples) {
      const lines = textOf(name).match(/^(?!\s*\/\/).*\S.*$/gm) ?? [];
      expect(lines.length, name).toBeLessThanOrEqual(40);
    }
  });

  const alone = examples.filter((name) => name !== 'manual-clock' && name !== 'redis-stream');
  it.concurrent.each(alone)('%s prints what its last comment says, and ends', async (name) => {
    expect(printedBy(name)).not.toBe('');
    const { code, signal, stdout, stderr } = await start(name);
    expect({ code, signal, stdout, stderr }).toEqual({
      code: 0,
      signal: null,
      stdout: printedBy(name),
      stderr: '',
    });
  });

  it('manual-clock is a test that passes', async () => {
    const { code, stdout } = await start('manual-clock', ['--test']);
    expect(stdout).toMatch(/^(?:#|ℹ) pass [1-9]/m);
    expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringMatching(/^(?:#|ℹ) fail 0$/m) });
  });

  it.skipIf(noRedis)('redis-stream prints what its last comment says, and ends', async () => {
    const server = await Server.start();
    process.env['REDIS_URL'] = `redis://127.0.0.1:${server.port}`;
    const { code, stdout, stderr } = await start('redis-stream');
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: printedBy('redis-stream'), stderr: '' });
  });
});
