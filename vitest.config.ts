import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'

/** Lab tests that are quick and do not hang on timing: part of `npm test`. All others are in the project `long` (`npm run test:long`). */
const QUICK = [
  'adapters/rawsocket/rawsocket.lab.ts',
  'lab/kernel/kernel.lab.ts',
  'lab/ruleset/nftText.lab.ts',
  'lab/traps/bigPackets.lab.ts',
  'lab/traps/gate.lab.ts',
  'lab/traps/ipv6.lab.ts',
  'lab/traps/published.lab.ts',
  'lab/traps/replace.lab.ts',
  'lab/world.lab.ts',
]
/** A thousand rollouts of a simulated fleet: half a minute, and so not part of `npm run check`. */
const SIMULATION = ['sim/rollout.test.ts', 'sim/judged.test.ts']
const LAB = ['lab/**/*.lab.ts', '{engine,adapters,app,host}/**/*.lab.ts']
const PATIENCE = { testTimeout: 120_000, hookTimeout: 120_000, maxWorkers: 2 }

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['{core,engine,adapters,app,sim,architecture,fuzz}/**/*.test.ts'],
          exclude: SIMULATION,
          // One fewer than there are processors, as by default, would leave half of a small machine idle.
          maxWorkers: availableParallelism(),
        },
      },
      { test: { name: 'simulation', include: SIMULATION } },
      // Real kernel, real daemons: need root (or a user namespace) and the packages of setup/packages.txt.
      { test: { name: 'lab', include: QUICK, ...PATIENCE } },
      { test: { name: 'long', include: LAB, exclude: QUICK, ...PATIENCE } },
    ],
  },
})
