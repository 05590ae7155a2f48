import { startWorld } from '../lab/start.ts'
import { flatWorld } from '../lab/world.ts'

export const title = 'Starting and stopping a lab of hosts with OpenSSH (aim: 12 hosts in 2 s, 100 hosts in 3 s)'

/** Each host counts as started when its sshd listens. */
export async function run(args: readonly string[]): Promise<void> {
  const sizes = args.length > 0 ? args.map(Number) : [1, 12, 100]
  console.log('hosts  start s  ms/host   stop s')
  for (const size of sizes) {
    const startedMs = performance.now()
    const lab = await startWorld(flatWorld(size))
    const standingMs = performance.now()
    await lab.stop()
    const [start, stop] = [standingMs - startedMs, performance.now() - standingMs]
    console.log([String(size).padStart(5), seconds(start), (start / size).toFixed(1).padStart(8), seconds(stop)].join(' '))
  }
}

const seconds = (ms: number): string => (ms / 1_000).toFixed(2).padStart(8)
