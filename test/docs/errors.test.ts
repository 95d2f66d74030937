import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { run } from '../program.js';
import { endServers, noRedis, Server } from '../redis/servers.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const codes = [
  ...readFileSync(join(root, 'lib/input/errors.ts'), 'utf8').matchAll(/^ {2}\| '(ERR_SLUICE_\w+)'/gm),
].map(([, code = '']) => code);
const pageOf = (code: string) => readFileSync(join(root, 'docs/errors', `${code}.md`), 'utf8');

/** Codes whose errors a small program cannot cause: a defect, another version, no memory, 256 threads. */
const without = ['AUDIT', 'LAYOUT', 'MEMORY', 'THREADS'].map((name) => `ERR_SLUICE_${name}`);
const onRedis = ['ERR_SLUICE_ID', 'ERR_SLUICE_REDIS'];

/** A reader's project: the programs of the pages, each in a directory of its own, below a node_modules. */
const project = mkdtempSync(join(tmpdir(), 'sluice-errors-'));
const reporter = `
const error = await import(process.argv[2]).then(() => undefined, (thrown) => thrown);
process.stdout.write(String(error?.code), () => process.exit());
`;
beforeAll(() => {
  const modules = join(project, 'node_modules');
  mkdirSync(modules);
  for (const name of ['redis', '@redis', 'lmdb']) {
    symlinkSync(join(root, 'node_modules', name), join(modules, name));
  }
  symlinkSync(root, join(modules, 'sluice'));
});
afterAll(async () => {
  await endServers();
  rmSync(project, { recursive: true, force: true });
});

/** Runs the programs of a page, and returns the code of the error that the last one throws. */
async function thrownBy(code: string): Promise<string> {
  const directory = join(project, code);
  mkdirSync(directory);
  const programs = [...pageOf(code).matchAll(/^```js\n([\s\S]*?)^```$/gm)].map(([, program = '']) => program);
  let last = '';
  for (const program of programs) {
    last = join(directory, /^\/\/ (\S+\.mjs)\n/.exec(program)?.[1] ?? 'program.mjs');
    writeFileSync(last, program.replaceAll(/'\.\/(?=[a-z-]+(?:\/orders)?')/g, `'${directory}/`));
  }
  const start = join(directory, 'reporter.mjs');
  writeFileSync(start, reporter);
  const { stdout, stderr } = await run(pathToFileURL(start), [pathToFileURL(last).href]);
  return stdout === '' ? stderr : stdout;
}

describe('docs/errors', () => {
  it('has a page for each code, which the index lists, and no other', () => {
    expect(codes.length).toBeGreaterThan(20);
    const pages = readdirSync(join(root, 'docs/errors')).filter((name) => name !== 'index.md');
    expect(pages.sort()).toEqual(codes.map((code) => `${code}.md`).sort());
    const index = readFileSync(join(root, 'docs/errors/index.md'), 'utf8');
    const listed = [...index.matchAll(/^\| \[(\w+)\]\((\w+)\.md\) \| .+ \|$/gm)];
    expect(listed.map(([, code]) => code)).toEqual([...codes].sort());
    expect(listed.every(([, code, file]) => code === file)).toBe(true);
  });

  it.each(codes)('says of %s what it is, its cause, and what to do', (code) => {
    const headings = [...pageOf(code).matchAll(/^#+ .*$/gm)].map(([heading]) => heading);
    const example = without.includes(code) ? [] : ['## Example'];
    expect(headings).toEqual([`# ${code}`, '## Cause', '## What to do', ...example]);
  });

  const alone = codes.filter((code) => !without.includes(code) && !onRedis.includes(code));
  it.concurrent.each(alone)('shows a program that throws %s', async (code) => {
    expect(await thrownBy(code)).toBe(code);
  });

  it.skipIf(noRedis).each(onRedis)('shows a program that throws %s', async (code) => {
    const server = await Server.start();
    process.env['REDIS_URL'] = `redis://127.0.0.1:${server.port}`;
    expect(await thrownBy(code)).toBe(code);
  });
});
