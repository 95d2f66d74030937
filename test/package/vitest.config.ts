import { defineConfig } from 'vitest/config';

// Apart from the other suites because it packs the package, which takes a native build.
export default defineConfig({
  test: {
    include: ['test/package/**/*.test.ts'],
    pool: 'forks',
    fileParallelism: false,
    testTimeout: 60_000,
    hookTimeout: 300_000,
  },
});
