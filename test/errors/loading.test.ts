// The error of a program whose binary cannot be loaded, and the variable that names the binary.
import { copyFileSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Ended, expectEnded, nodes, run } from '../program.js';

const root = new URL('../../', import.meta.url);
const platform = `${process.platform}-${process.arch}`;
/** A package without a binary; binary.node is beside it, in a directory whose name has a blank. */
const copy = mkdtempSync(join(tmpdir(), 'sluice-loading-'));
const binary = join(copy, 'an elsewhere', 'binary.node');

beforeAll(() => {
  for (const part of ['package.json', 'dist'])
    cpSync(new URL(part, root), join(copy, part), { recursive: true });
  mkdirSync(join(copy, 'an elsewhere'));
  copyFileSync(new URL('build/Release/sluice.node', root), binary);
  const program = `const [named] = process.argv.slice(2);
    if (named) process.env.SLUICE_NATIVE_BINDING = named;
    const { Queue, record, u8 } = await import('./dist/index.mjs');
    const queue = Queue.create(record({ a: u8 }), { capacity: 1 });
    console.log(queue.tryPush({ a: 1 }) ? 'ok' : 'full');`;
  writeFileSync(join(copy, 'program.mjs'), program);
});
afterAll(() => rmSync(copy, { recursive: true, force: true }));

function load(node: string, named: string, execArgv: readonly string[] = []): Promise<Ended> {
  return run(pathToFileURL(join(copy, 'program.mjs')), [named], { node, execArgv: [...execArgv] });
}

describe.each(nodes)('on $name', ({ node }) => {
  it('SLUICE_NATIVE_BINDING names the binary, and no other is tried', async () => {
    expectEnded(await load(node, binary), 0);
    const { code, stderr } = await load(node, 'no/such.node');
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /Tried:\n {2}no\/such\.node: Cannot find module .*\nWhat to do: correct or unset SLUICE_/,
    );
  });

  it('an error names the platform, what was tried, and the remedy', async () => {
    const { code, stderr } = await load(node, '');
    expect(code).toBe(1);
    expect(stderr).toContain('ERR_SLUICE_LOAD');
    expect(stderr).toContain(`no working binary for ${platform}`);
    expect(stderr).toMatch(new RegExp(`prebuilds/${platform}/sluice(\\.\\w+)?\\.node: Cannot find module`));
    expect(stderr).toContain('build/Release/sluice.node: Cannot find module');
    expect(stderr).toContain('What to do: reinstall sluice without omitting files');
  });

  it('a file that is no addon is told as the system tells it', async () => {
    const text = join(copy, 'text.node');
    writeFileSync(text, 'no addon');
    expect((await load(node, text)).stderr).toMatch(/text\.node: .*(file too short|not valid|invalid)/);
  });

  it('without leave for addons, the error says how to give it', async () => {
    const { code, stderr } = await load(node, binary, ['--no-addons']);
    expect(code).toBe(1);
    expect(stderr).toContain('ERR_SLUICE_LOAD');
    expect(stderr).toContain('start Node.js with --allow-addons');
  });

  it('with --permission, the error names what is to be allowed, and with that it loads', async () => {
    const isOld = node === process.execPath ? /^v20/.test(process.version) : /\/20[./]/.test(node);
    const permission = [isOld ? '--experimental-permission' : '--permission', `--allow-fs-read=*`];
    const { code, stderr } = await load(node, binary, permission);
    expect(code).toBe(1);
    expect(stderr).toContain('ERR_SLUICE_LOAD');
    expect(stderr).toContain('start Node.js with --allow-addons and with --allow-fs-read');
    const allowed = await load(node, binary, [...permission, '--allow-addons']);
    expect({ code: allowed.code, stdout: allowed.stdout }).toEqual({ code: 0, stdout: 'ok\n' });
  });
});

it('each prebuilt binary has a require of its own, by a path that bundlers see', () => {
  const text = readFileSync(new URL('dist/binding/addon.js', root), 'utf8');
  const required = [...text.matchAll(/require\("\.\.\/\.\.\/prebuilds\/([^"]+)"\)/g)].map(([, file]) => file);
  expect(required.sort()).toEqual([
    'darwin-arm64/sluice.node',
    'darwin-x64/sluice.node',
    'linux-arm64/sluice.glibc.node',
    'linux-arm64/sluice.musl.node',
    'linux-x64/sluice.glibc.node',
    'linux-x64/sluice.musl.node',
    'win32-arm64/sluice.node',
    'win32-x64/sluice.node',
  ]);
});
