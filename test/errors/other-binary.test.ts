import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { contractHash } from '../../lib/binding/contract.js';
import { type Ended, expectEnded, nodes, run } from '../program.js';

const root = new URL('../../', import.meta.url);
const source = new URL('programs/stranger.cc', import.meta.url).pathname;
const built = 'build/Release/sluice.node';
const platform = `${process.platform}-${process.arch}`;
const prebuilds = ['sluice.glibc.node', 'sluice.musl.node', 'sluice.node'].map(
  (file) => `prebuilds/${platform}/${file}`,
);

/** The path of a package with this lib/. Each test puts its own binary beside it. */
let copy = '';
beforeEach(() => {
  copy = mkdtempSync(join(tmpdir(), 'sluice-other-binary-'));
  mkdirSync(join(copy, 'build/Release'), { recursive: true });
  mkdirSync(join(copy, 'prebuilds', platform), { recursive: true });
  for (const part of ['package.json', 'dist'])
    cpSync(new URL(part, root), join(copy, part), { recursive: true });
  const program = `const { Queue, record, u8 } = await import('./dist/index.js');
    const queue = Queue.create(record({ a: u8 }), { capacity: 1 });
    console.log(queue.tryPush({ a: 1 }) ? 'ok' : 'full');`;
  writeFileSync(join(copy, 'program.js'), program);
});
afterEach(() => rmSync(copy, { recursive: true, force: true }));

/**
 * Builds the file `name` of the package: an addon that exports `hash` as the hash of its contract, or exports no hash.
 */
function build(name: string, hash?: string): void {
  const [compiler = 'c++', ...flags] = (process.env['CXX'] ?? 'c++').split(' ');
  const macos = process.platform === 'darwin' ? ['-undefined', 'dynamic_lookup'] : [];
  const contract = hash === undefined ? [] : [`-DCONTRACT="${hash}"`];
  const args = [...flags, '-shared', '-fPIC', ...macos, ...contract, source, '-o', join(copy, name)];
  const { status, stderr } = spawnSync(compiler, args, { encoding: 'utf8' });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
}

function use(node: string): Promise<Ended> {
  return run(pathToFileURL(join(copy, 'program.js')), [], { node });
}

describe.each(nodes)('a binary of another version beside this lib, on $name,', ({ node }) => {
  it.each([
    ['of another contract', '0123456789abcdef'],
    ['from before there were contracts', undefined],
  ])('%s, is refused when it is loaded, with what to do', async (_, hash) => {
    build(built, hash);
    const { code, stderr } = await use(node);
    expect(code).toBe(1);
    expect(stderr).toContain('ERR_SLUICE_LOAD');
    expect(stderr).toContain(
      `built from another version of sluice (contract ${hash}) than this lib (${contractHash})`,
    );
    expect(stderr).toMatch(/What to do: reinstall sluice.* "npm install"/);
  });

  it('does not keep the right one in the next place from being loaded', async () => {
    for (const file of prebuilds) build(file, '0123456789abcdef');
    cpSync(new URL(built, root), join(copy, built));
    expectEnded(await use(node), 0);
  });

  it('is distinguished from one that is not there', async () => {
    const { stderr } = await use(node);
    expect(stderr).toContain('What to do: reinstall sluice without omitting files');
  });
});
