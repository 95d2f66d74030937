import { type ChildProcess, type ChildProcessByStdio, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { text as textOf } from 'node:stream/consumers';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { directoryOf } from '../installed.js';
import { nodes, run } from '../program.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const text = readFileSync(join(root, 'README.md'), 'utf8');
/** The programs of README.md, by the name in the first line of each. The tests run them unchanged. */
const programs = new Map(
  [...text.matchAll(/^```js\n(\/\/ (\S+\.mjs)\n[\s\S]*?)^```$/gm)].map(
    ([, program, name]) => [name, program] as [string, string],
  ),
);

/** A reader's project: the files beside a node_modules with sluice and Express. */
const project = mkdtempSync(join(tmpdir(), 'sluice-readme-'));
beforeAll(() => {
  mkdirSync(join(project, 'node_modules'));
  symlinkSync(root, join(project, 'node_modules', 'sluice'));
  symlinkSync(directoryOf('express'), join(project, 'node_modules', 'express'));
  for (const [name, program] of programs) writeFileSync(join(project, name), program);
});
let server: ChildProcess | undefined;
afterEach(() => {
  server?.kill('SIGKILL');
  server = undefined;
});
afterAll(() => rmSync(project, { recursive: true, force: true }));

interface Answer {
  readonly status: number | undefined;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

async function post(port: number, order: object, localAddress = '127.0.0.1'): Promise<Answer> {
  const headers = { 'content-type': 'application/json' };
  const options = { port, host: '127.0.0.1', path: '/orders', method: 'POST', headers, localAddress };
  const asked = request({ ...options, agent: false }).end(JSON.stringify(order));
  const [response] = (await once(asked, 'response')) as [IncomingMessage];
  return { status: response.statusCode, headers: response.headers, body: await textOf(response) };
}

describe('README.md', () => {
  it('shows no JavaScript but programs with a name', () => {
    expect([...programs.keys()]).toEqual(['sale.mjs', 'server.mjs']);
    const lines = [...programs.values()].map((program) => program.trimEnd().split('\n').length - 1);
    expect(lines).toEqual([10, 15]);
    expect([...text.matchAll(/^```js/gm)]).toHaveLength(programs.size);
  });

  it.each(nodes)('shows a sale that ends, and what it writes ($name)', async ({ node }) => {
    const [, shown] = /^\$ node sale\.mjs\n([\s\S]*?)^```$/m.exec(text) ?? [];
    const { code, signal, stdout, stderr } = await run(pathToFileURL(join(project, 'sale.mjs')), [], {
      node,
    });
    expect({ code, signal, stdout, stderr }).toEqual({ code: 0, signal: null, stdout: shown, stderr: '' });
  });

  it.each(nodes)('shows an Express server, and how it answers ($name)', async ({ node }) => {
    const child = fork(join(project, 'server.mjs'), {
      execPath: node,
      execArgv: ['--import', new URL('any-port.js', import.meta.url).href],
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    server = child;
    const { stdout, stderr } = child as ChildProcessByStdio<null, Readable, Readable>;
    const ended = once(child, 'close');
    const errors = textOf(stderr);
    let written = '';
    stdout.setEncoding('utf8').on('data', (more: string) => {
      written += more;
    });
    const listening = once(child, 'message').then(([message]) => message as { asked: number; port: number });
    const early = ended.then(async () => {
      throw new Error(`server.mjs ended: ${await errors}`);
    });
    early.catch(() => {}); // the test kills the server in the end
    const { asked, port } = await Promise.race([listening, early]);
    expect(asked).toBe(3000);

    const answers: Answer[] = [];
    for (let n = 1; n <= 6; n++)
      answers.push(await post(port, { orderId: n, user: n, sku: 1001, quantity: 1 }));
    const [, sentence = ''] = /^Six orders of six users,([^:]*):/m.exec(text) ?? [];
    expect(answers.map(({ status }) => status)).toEqual(sentence.match(/\b\d{3}\b/g)?.map(Number));
    expect(text).toContain(`\`${answers[4]?.body}\``);
    expect(Number(answers[5]?.headers['retry-after'])).toBeGreaterThan(0);

    const order = { orderId: 7, user: 7, sku: 1001, quantity: 1 };
    // another address, which has a limit of its own
    expect(await post(port, order, '127.0.0.2')).toMatchObject({ status: 409 });
    expect(await post(port, { orderId: 8 }, '127.0.0.2')).toMatchObject({ status: 500 });

    const handled = [1, 2, 3].map((n) => `charged order ${n}\n`).join('');
    while (written.length < handled.length) await Promise.race([once(stdout, 'data'), early]);
    expect(written).toBe(handled);
    child.kill();
    expect(await ended).toEqual([null, 'SIGTERM']);
  });
});
