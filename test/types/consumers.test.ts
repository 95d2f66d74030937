// Consumers of the built package, compiled by each compiler from the oldest to the newest: with the types of the
// frameworks, with those of the frameworks' previous versions, and without a framework.

import { execFile } from 'node:child_process';
import { copyFileSync, cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { directoryOf } from '../installed.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const consumers = fileURLToPath(new URL('consumer/', import.meta.url));
const temporary = mkdtempSync(join(tmpdir(), 'sluice-types-'));

interface Project {
  /**
   * The packages installed in the project, by their names there. The values are the names of this repository's
   * dependencies.
   */
  readonly installed: Readonly<Record<string, string>>;
  readonly files: readonly string[];
  readonly module: 'nodenext' | 'node16' | 'esnext';
  /** If false, the oldest and the newest compiler also check the declarations of all packages. */
  readonly skipLibCheck: boolean;
}

const projects: Readonly<Record<string, Project>> = {
  'without a framework': {
    installed: {},
    files: ['alone.mts', 'dispatch.mts', 'node.mts', 'fetch.mts', 'required.cts'],
    module: 'nodenext',
    skipLibCheck: false,
  },
  'for a bundler': {
    installed: {},
    files: ['alone.mts', 'dispatch.mts', 'node.mts', 'fetch.mts'],
    module: 'esnext',
    skipLibCheck: true,
  },
  'with Express 5 and Fastify 5': {
    installed: { express: 'express', '@types/express': '@types/express', fastify: 'fastify' },
    files: ['express.mts', 'fastify.mts', 'node.mts'],
    module: 'nodenext',
    skipLibCheck: false,
  },
  'with Express 4 and Fastify 4': {
    installed: { express: 'express4', '@types/express': 'types-express4', fastify: 'fastify4' },
    files: ['express.mts', 'fastify.mts'],
    module: 'node16',
    skipLibCheck: false,
  },
  // Hono's declarations need TypeScript 5.7, and Koa's do not fit the content-disposition that Express installs. So the
  // declarations of packages are not checked here.
  'with Koa and Hono': {
    installed: { hono: 'hono', koa: 'koa', '@types/koa': '@types/koa' },
    files: ['koa.mts', 'hono.mts', 'fetch.mts'],
    module: 'nodenext',
    skipLibCheck: true,
  },
};

function create(name: string, { installed, files }: Project): void {
  const directory = join(temporary, name);
  const modules = join(directory, 'node_modules');
  mkdirSync(join(modules, 'sluice'), { recursive: true });
  cpSync(join(root, 'dist'), join(modules, 'sluice', 'dist'), { recursive: true });
  copyFileSync(join(root, 'package.json'), join(modules, 'sluice', 'package.json'));
  for (const [as, one] of Object.entries({ ...installed, '@types/node': '@types/node' })) {
    mkdirSync(dirname(join(modules, as)), { recursive: true });
    symlinkSync(directoryOf(one), join(modules, as));
  }
  for (const file of files) copyFileSync(join(consumers, file), join(directory, file));
  writeFileSync(join(directory, 'package.json'), JSON.stringify({ name: 'shop', type: 'module' }));
}

/** Returns what a compiler writes about a project: nothing, if it finds no error. */
function compiled(compiler: string, name: string, { module, files, skipLibCheck }: Project): Promise<string> {
  const tsc = join(directoryOf(compiler), 'bin', 'tsc');
  const resolution = module === 'esnext' ? ['--moduleResolution', 'bundler'] : ['--esModuleInterop'];
  const options = ['--noEmit', '--strict', '--module', module, ...resolution];
  const library = ['--target', 'es2022', '--types', 'node', '--skipLibCheck', String(skipLibCheck)];
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [tsc, ...options, ...library, ...files],
      { cwd: join(temporary, name) },
      (error, stdout, stderr) => resolve(stdout + stderr + (error !== null && stdout === '' ? error : '')),
    );
  });
}

beforeAll(() => {
  for (const [name, project] of Object.entries(projects)) create(name, project);
});
afterAll(() => rmSync(temporary, { recursive: true, force: true }));

describe.each([
  ['5.4', 'typescript-5.4'],
  ['5.9', 'typescript-5.9'],
  ['6', 'typescript'],
])('TypeScript %s compiles a consumer', (_version, compiler) => {
  it.each(Object.entries(projects))('%s', { timeout: 480_000 }, async (name, project) => {
    // Since TypeScript 5.8 a CommonJS module may require an ES module, as Node.js allows.
    const files = project.files.filter((file) => compiler !== 'typescript-5.4' || !file.endsWith('.cts'));
    const skipLibCheck = project.skipLibCheck || compiler === 'typescript-5.9';
    expect(await compiled(compiler, name, { ...project, files, skipLibCheck })).toBe('');
  });
});
