import { configDefaults, defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts', 'test/bench/**/*.test.js'],
    exclude: [...configDefaults.exclude, 'test/package/**'], // slow; `npm run test:package` runs these
    globalSetup: 'test/fresh-builds.ts',
    pool: 'forks',
    // Each file starts worker threads of its own: two files at once would only crowd each other out.
    fileParallelism: false,
    // Tests that only run a program each, in a process of its own, are marked `concurrent`: two at a time.
    maxConcurrency: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    coverage: { include: ['dist/**/*.js'] },
  },
});
