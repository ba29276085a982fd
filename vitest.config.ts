import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // The TensorFlow addon keeps process-wide state, so each test file gets a process of its own.
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 240_000,
    hookTimeout: 240_000,
    globalSetup: ['test/global-setup.ts'],
    env: { TF_CPP_MIN_LOG_LEVEL: '2' },
  },
});
