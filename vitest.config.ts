import { isBuiltin } from 'node:module';
import { configDefaults, defineConfig } from 'vitest/config';

/** Tests that mostly wait, for servers and other processes, or that compute in one thread. */
const together = [
  'dispatch',
  'docs',
  'errors',
  'examples',
  'observe',
  'overflow',
  'redis',
  'sim',
  'types',
  'wasm',
].map((room) => `test/${room}/**/*.test.ts`);

/** Tests within SQLite's files need `node:sqlite`. A Node.js without it runs them by another Node.js. */
const elsewhere = isBuiltin('node:sqlite')
  ? 'test/overflow/by-newer-node.test.ts'
  : 'test/overflow/sqlite-*.test.ts';

export default defineConfig({
  test: {
    globalSetup: 'test/fresh-builds.ts',
    pool: 'forks',
    // Tests that only run a program each, in a process of its own, are marked `concurrent`: two at a time.
    maxConcurrency: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // Node.js loads dist/ as it does for users.
    server: { deps: { external: [/\/dist\/.*\.m?js$/] } },
    coverage: { include: ['dist/**/*.js'] },
    projects: [
      {
        extends: true,
        // Each file starts worker threads of its own: two files at once would only crowd each other out.
        test: {
          name: 'one by one',
          include: ['test/**/*.test.ts', 'test/bench/**/*.test.js'],
          // The tests of the package and of the site are slow; `npm run test:package` and `test:docs` run these.
          exclude: [...configDefaults.exclude, ...together, 'test/package/**', 'test/site/**'],
          fileParallelism: false,
        },
      },
      {
        extends: true,
        test: {
          name: 'two at a time',
          include: together,
          exclude: [...configDefaults.exclude, elsewhere],
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
