import { defineConfig } from 'vitest/config';

// These tests have their own configuration because they pack the package, which needs a native build.
export default defineConfig({
  test: {
    include: ['test/package/**/*.test.ts'],
    pool: 'forks',
    fileParallelism: false,
    testTimeout: 60_000,
    hookTimeout: 300_000,
  },
});
