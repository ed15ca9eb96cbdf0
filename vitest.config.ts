import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    setupFiles: 'test/support/set-up.ts',
    testTimeout: 30_000,
    hookTimeout: 30_000,
    pool: 'forks',
    // Loading the sources anew for every file took a third of the time; tests put back what they change.
    isolate: false,
    maxWorkers: 2,
  },
});
