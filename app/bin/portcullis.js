#!/usr/bin/env node
// Plain JavaScript that any Node reads: finds the Node that the rest needs. `npx` and `npm run` put it first on the PATH;
// called by its path under an older one, the locked Node beside it takes over.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import module from 'node:module'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const NODE_MAJOR_MIN = 24

if (Number.parseInt(process.versions.node, 10) >= NODE_MAJOR_MIN) {
  // Not the default directory: anyone could plant code for root in /tmp.
  module.enableCompileCache?.(join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'portcullis', 'compiled'))
  await import('../main.ts')
} else {
  const locked = fileURLToPath(new URL('../../node_modules/.bin/node', import.meta.url))
  if (!existsSync(locked)) {
    process.stderr.write(`portcullis needs Node ${NODE_MAJOR_MIN}, this is ${process.versions.node}: run npm run setup\n`)
    process.exit(70)
  }
  // Ctrl-C reaches both; the child decides how to end.
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => {})
  const { status } = spawnSync(locked, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], { stdio: 'inherit' })
  process.exit(status ?? 70)
}
