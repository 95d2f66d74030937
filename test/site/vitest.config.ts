import { defineConfig } from 'vitest/config';

// These tests have their own configuration because they look at what `npm run docs` has built.
export default defineConfig({
  test: {
    include: ['test/site/**/*.test.ts'],
    pool: 'forks',
    fileParallelism: false,
    testTimeout: 300_000,
    hookTimeout: 60_000,
  },
});
