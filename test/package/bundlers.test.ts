// The package in bundles, and in other runtimes and test runners. What docs/guide/bundlers.md shows is run as it is
// there: its files are written into a project, and its commands make the bundles, which then run in another directory.
// The tools are installed into that project, from test/package/bundlers/tools: they are no dependencies of this
// repository.

import { type ChildProcess, execFileSync, type SpawnSyncReturns, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { nodes } from '../program.js';

const repository = fileURLToPath(new URL('../..', import.meta.url));
const sources = fileURLToPath(new URL('bundlers', import.meta.url));
const temporary = mkdtempSync(join(tmpdir(), 'sluice-bundlers-'));
const project = join(temporary, 'project');
const modules = join(project, 'node_modules');
const out = join(project, 'out');
/** Where bundles run. No directory above it has a node_modules. */
const elsewhere = join(temporary, 'elsewhere');
const page = readFileSync(join(repository, 'docs/guide/bundlers.md'), 'utf8');
const printed = '{"order":{"sku":7},"limit":"function"}\n';

/** The environment without what npm and vitest put into it. */
const environment = {
  ...Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(?:npm_|VITEST|NODE_ENV$)/.test(name)),
  ),
  PATH: [join(modules, '.bin'), process.env['PATH']].join(delimiter),
  NEXT_TELEMETRY_DISABLED: '1',
};

function run(
  program: string,
  args: readonly string[],
  cwd = project,
  env: NodeJS.ProcessEnv = environment,
): SpawnSyncReturns<string> {
  return spawnSync(program, args, { cwd, env, encoding: 'utf8', timeout: 240_000, killSignal: 'SIGKILL' });
}

function expectSuccess({ status, stdout, stderr }: SpawnSyncReturns<string>): string {
  expect(status, `${stdout}\n${stderr}`).toBe(0);
  return stdout;
}

const node = (...args: string[]): string => expectSuccess(run(process.execPath, args));
const evaluate = (program: string): string => node('--input-type=module', '--eval', program);

/** Runs the command of the page that contains `part`. */
function command(part: string): void {
  const commands = [...page.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(([, text = '']) => text);
  const found = commands.find((text) => text.includes(part));
  if (found === undefined) throw new Error(`docs/guide/bundlers.md has no command with ${part}`);
  expectSuccess(run('sh', ['-c', found.replace('npx ', '')]));
}

/** Moves the bundle elsewhere, with sluice beside it if it is external, and returns what it prints there. */
function printedElsewhere(file: string, { isExternal = false } = {}): string {
  renameSync(out, elsewhere);
  if (isExternal)
    cpSync(join(modules, 'sluice'), join(elsewhere, 'node_modules/sluice'), { recursive: true });
  else expect(existsSync(join(elsewhere, 'node_modules'))).toBe(false);
  renameSync(join(modules, 'sluice'), join(temporary, 'hidden')); // a bundle must not look where it was made
  try {
    return expectSuccess(run(process.execPath, [file], elsewhere));
  } finally {
    renameSync(join(temporary, 'hidden'), join(modules, 'sluice'));
  }
}

/** Copies the files that a program needs, as @vercel/nft finds them, to out/. */
function trace(program: string): string[] {
  const files = evaluate(`import { nodeFileTrace } from '@vercel/nft';
    console.log(JSON.stringify([...(await nodeFileTrace(['${program}'])).fileList]));`);
  const list = JSON.parse(files) as string[];
  for (const file of list) {
    mkdirSync(dirname(join(out, file)), { recursive: true });
    copyFileSync(join(project, file), join(out, file));
  }
  return list;
}

function tarball(): string {
  return join(temporary, readdirSync(temporary).find((file) => file.endsWith('.tgz')) ?? 'no tarball');
}

beforeAll(() => {
  mkdirSync(project);
  for (const file of ['package.json', 'package-lock.json'])
    cpSync(join(sources, 'tools', file), join(project, file));
  execFileSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline'], {
    cwd: project,
  });
  execFileSync('npm', ['pack', '--silent', '--pack-destination', temporary], { cwd: repository });
  execFileSync('tar', ['-xzf', tarball(), '-C', modules]);
  renameSync(join(modules, 'package'), join(modules, 'sluice'));
  symlinkSync(join(repository, 'node_modules/vitest'), join(modules, 'vitest'));
  cpSync(sources, project, { recursive: true });
  const manifest = JSON.parse(readFileSync(join(project, 'package.json'), 'utf8'));
  manifest.dependencies.sluice = '*';
  writeFileSync(join(project, 'package.json'), JSON.stringify(manifest));
  for (const [, text = '', name = ''] of page.matchAll(/^```js\n(\/\/ (\S+)\n[\s\S]*?)^```$/gm)) {
    writeFileSync(join(project, name === 'next.config.mjs' ? 'next' : '', name), text);
  }
}, 600_000);
afterAll(() => rmSync(temporary, { recursive: true, force: true }));
beforeEach(() => {
  for (const directory of [out, elsewhere]) rmSync(directory, { recursive: true, force: true });
});

describe('in a bundle that was moved elsewhere', { timeout: 300_000 }, () => {
  it('works: esbuild, CommonJS', () => {
    command('shop.cjs --bundle');
    expect(printedElsewhere('shop.cjs')).toBe(printed);
  });

  it('works: esbuild, an ES module', () => {
    command('--format=esm');
    expect(printedElsewhere('shop.mjs')).toBe(printed);
  });

  it('works: webpack', () => {
    evaluate(`import webpack from 'webpack';
      import config from './webpack.config.mjs';
      webpack(config, (error, stats) => { if (error || stats.hasErrors()) throw error ?? stats.toString(); });`);
    expect(printedElsewhere('shop.cjs')).toBe(printed);
  });

  it('works: webpack, with sluice external', () => {
    evaluate(`import webpack from 'webpack';
      import config from './webpack.config.mjs';
      const { module: _, node: __, ...rest } = config;
      const external = { ...rest, ${/`(externalsType: .*?)`/.exec(page)?.[1]} };
      webpack(external, (error, stats) => { if (error || stats.hasErrors()) throw error ?? stats.toString(); });`);
    expect(printedElsewhere('shop.cjs', { isExternal: true })).toBe(printed);
  });

  it('works: rollup', () => {
    node(join(modules, 'rollup/dist/bin/rollup'), '-c', 'rollup.config.mjs', '--silent');
    expect(printedElsewhere('shop.mjs', { isExternal: true })).toBe(printed);
  });

  it('works: Vite', () => {
    const vite = join(repository, 'node_modules/vite/bin/vite.js');
    node(
      vite,
      'build',
      '--ssr',
      'shop.mjs',
      '--outDir',
      'out',
      '--configLoader',
      'native',
      '--config',
      'vite.config.mjs',
    );
    expect(printedElsewhere('shop.mjs', { isExternal: true })).toBe(printed);
  });

  it('works: tsup', () => {
    command('tsup');
    expect(printedElsewhere('shop.mjs', { isExternal: true })).toBe(printed);
  });

  it('works: ncc', () => {
    command('ncc');
    expect(printedElsewhere('index.mjs')).toBe(printed);
  });

  it('works: the files that @vercel/nft finds', () => {
    expect(trace('shop.mjs')).toContainEqual(expect.stringMatching(/sluice\/prebuilds\/.*\.node$/));
    renameSync(out, elsewhere);
    expect(expectSuccess(run(process.execPath, ['shop.mjs'], elsewhere))).toBe(printed);
  });

  it('works: the files that @vercel/nft finds, threads of sluice included', () => {
    trace('crew.mjs');
    renameSync(out, elsewhere);
    expect(expectSuccess(run(process.execPath, ['crew.mjs'], elsewhere))).toBe('up\n');
  });

  it('says what to do where a bundle lacks the file of a thread', () => {
    const banner = /--banner:js="(.*)"/.exec(page)?.[1];
    const options = [
      '--bundle',
      '--platform=node',
      '--format=esm',
      '--loader:.node=copy',
      '--log-level=error',
    ];
    node(
      join(modules, 'esbuild/bin/esbuild'),
      'crew.mjs',
      ...options,
      '--outfile=out/crew.mjs',
      `--banner:js=${banner}`,
    );
    expect(printedElsewhere('crew.mjs')).toMatch(
      /^ERR_SLUICE_LOAD: dispatch: .*\nWhat to do: in a bundle, mark sluice/,
    );
  });

  it('works: a single executable application', () => {
    command('sea.cjs');
    const settings = { main: 'sea.cjs', output: 'sea.blob', disableExperimentalSEAWarning: true };
    writeFileSync(join(out, 'sea.json'), JSON.stringify(settings));
    expectSuccess(run(process.execPath, ['--experimental-sea-config', 'sea.json'], out));
    copyFileSync(process.execPath, join(out, 'shop'));
    const fuse = 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2';
    const inject = [join(modules, 'postject/dist/cli.js'), 'shop', 'NODE_SEA_BLOB', 'sea.blob'];
    expectSuccess(run(process.execPath, [...inject, '--sentinel-fuse', fuse], out));
    mkdirSync(elsewhere);
    copyFileSync(join(out, 'shop'), join(elsewhere, 'shop'));
    const binary = join(modules, 'sluice/prebuilds/linux-x64/sluice.glibc.node');
    copyFileSync(binary, join(elsewhere, 'sluice.node'));
    rmSync(out, { recursive: true });
    expect(expectSuccess(run(join(elsewhere, 'shop'), [], temporary))).toBe(printed);
  });

  it('works: Next.js, standalone', async () => {
    const next = join(project, 'next');
    expectSuccess(run(process.execPath, [join(modules, 'next/dist/bin/next'), 'build'], next));
    renameSync(join(next, '.next/standalone'), elsewhere);
    const server = readdirSync(elsewhere).includes('server.js') ? '.' : 'next';
    const port = await freePort();
    const env = { ...environment, PORT: String(port), HOSTNAME: '127.0.0.1' };
    const child = spawn(process.execPath, [join(server, 'server.js')], { cwd: elsewhere, env });
    try {
      await saysReady(child);
      expect(await (await fetch(`http://127.0.0.1:${port}/api`)).json()).toEqual({ sku: 7 });
    } finally {
      child.kill('SIGKILL');
      await once(child, 'close');
    }
  });
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address !== null ? address.port : 0;
}

async function saysReady(child: ChildProcess): Promise<void> {
  let said = '';
  for await (const text of child.stdout ?? []) {
    said += text;
    if (said.includes('Ready')) return;
  }
  throw new Error(`the server has ended: ${said}`);
}

it('has types that fit its code, for ES modules, CommonJS and bundlers', { timeout: 120_000 }, () => {
  const attw = join(modules, '@arethetypeswrong/cli/dist/index.js');
  // The resolution of TypeScript before 4.7, "node10", knows no exports.
  node(attw, tarball(), '--profile', 'node16', '--format', 'ascii', '--no-color');
});

describe('in a test runner', { timeout: 120_000 }, () => {
  it.each(nodes)('works: Jest in its default mode, on Node.js $name', (one) => {
    const jest = [join(modules, 'jest/bin/jest.js'), '--rootDir', 'jest', '--testMatch', '**/*.test.cjs'];
    const { status, stderr } = run(one.node, jest);
    expect(status, stderr).toBe(0);
    expect(stderr).toContain('1 passed');
  });

  it.each(['vmThreads', 'vmForks'])('works: vitest with %s', (pool) => {
    const vitest = join(repository, 'node_modules/vitest/vitest.mjs');
    expect(node(vitest, 'run', '--root', 'vm', '--pool', pool)).toContain('1 passed');
  });
});

describe('in another runtime', { timeout: 120_000 }, () => {
  const bun = join(modules, '@oven/bun-linux-x64/bin/bun');
  const deno = join(modules, '@deno/linux-x64-glibc/deno');

  it('works: Bun, with threads that wait and one that is terminated', ({ skip }) => {
    if (!existsSync(bun)) skip('test/package/bundlers has no Bun for this platform');
    expect(JSON.parse(expectSuccess(run(bun, ['waits.mjs'])))).toEqual({
      code: 0,
      sold: 20,
      counts: { total: 50, available: 30, reserved: 0, sold: 20 },
      depth: 1,
    });
    expect(expectSuccess(run(bun, ['shop.cjs']))).toBe(printed);
    expect(expectSuccess(run(bun, ['crew.mjs']))).toBe('up\n');
  });

  it.for(['shop.mjs', 'shop.cjs'])('is refused with a typed error: Deno, %s', (program, { skip }) => {
    if (!existsSync(deno)) skip('test/package/bundlers has no Deno for this platform');
    const { status, signal, stderr } = run(deno, ['run', '--allow-all', '--quiet', program]);
    expect({ status, signal }, stderr).toEqual({ status: 1, signal: null });
    expect(stderr).toContain('sluice does not run in Deno');
  });
});
