import { connect } from 'node:net'

/**
 * A client of every host's shop, apart from the controller: `watcher.ts PORT ADDRESS…`. When its standard input ends it tells,
 * as one line of JSON, from when to when each host did not serve it. Milliseconds since 1970.
 */
export interface Outage {
  readonly address: string
  /** Begin of the first connection that was refused or not answered. */
  readonly from: number
  /** End of the first handshake after it; absent where none came. */
  readonly until?: number
}

const PAUSE_MS = 250
const TIMEOUT_MS = 1_000

const [port = '0', ...addresses] = process.argv.slice(2)
const dark = new Map<string, number>()
const outages: Outage[] = []
const over = new AbortController()

process.stdin.on('end', () => over.abort()).resume()
await Promise.all(addresses.map(watch))
for (const [address, from] of dark) outages.push({ address, from })
process.stdout.write(`${JSON.stringify(outages)}\n`)

async function watch(address: string): Promise<void> {
  while (!over.signal.aborted) {
    const at = Date.now()
    if (!(await isServed(address))) {
      if (!dark.has(address)) dark.set(address, at)
    } else {
      const from = dark.get(address)
      if (from !== undefined) outages.push({ address, from, until: Date.now() })
      dark.delete(address)
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
  }
}

function isServed(address: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port: Number(port), timeout: TIMEOUT_MS })
    const end = (isGood: boolean): void => {
      socket.destroy()
      resolve(isGood)
    }
    socket.once('connect', () => end(true))
    socket.once('error', () => end(false))
    // Timers come before what the network has brought meanwhile: a watcher that had to wait for its processor would call late what is there.
    socket.once('timeout', () => setImmediate(() => end(false)))
  })
}
