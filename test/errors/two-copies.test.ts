import { cpSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { expectEnded, nodes, run } from '../program.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
let copy = '';

beforeAll(() => {
  copy = mkdtempSync(join(tmpdir(), 'sluice-copy-'));
  for (const part of ['package.json', 'dist', 'build/Release/sluice.node', 'prebuilds']) {
    if (existsSync(join(root, part))) cpSync(join(root, part), join(copy, part), { recursive: true });
  }
});
afterAll(() => rmSync(copy, { recursive: true, force: true }));

describe.each(nodes)('two copies of the package in one process, on $name,', ({ node }) => {
  it.each([
    'each work by themselves',
    'do not take the handles of the other for their own',
    'do not take the objects of the other for their own',
    'know the errors of the other',
    'work side by side in a worker',
  ])('%s', async (story) => {
    const program = new URL('./programs/two-copies.js', import.meta.url);
    expectEnded(await run(program, [copy, story], { node }), 0);
  });
});
