import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['{core,engine,adapters,app,sim,architecture}/**/*.test.ts'],
        },
      },
      {
        // Real kernel, real daemons: needs root (or a user namespace) and the packages of setup/packages.txt.
        test: {
          name: 'lab',
          include: ['lab/**/*.lab.ts', '{engine,adapters,app,host}/**/*.lab.ts'],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          maxWorkers: 2,
        },
      },
    ],
  },
})
