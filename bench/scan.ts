import { openScanLab, spreadPorts, VANTAGE_IPV4, type LabTarget, type ScanLab } from '../adapters/prober/scanLab.ts'

/**
 * `portcullis scan` beside Debian's nmap and masscan, in the same namespaces and the same run: time, and open endpoints missed or
 * invented. Ratios hold across machines, times do not. Needs root: `npm run bench -- scan [ROUNDS] [SCENARIO…]`.
 */
export const title = 'scan: TCP and UDP beside nmap and masscan (aims: 2 × nmap -sS, behind a drop 20 ×, 256 addresses 1.5 ×, none missed or invented)'

interface Contender {
  readonly name: string
  readonly scan: (lab: ScanLab, target: LabTarget) => Promise<Found>
}

/** `address:port` of what was found open; `undecided`, of UDP, what stays open|filtered though it is closed. */
interface Found {
  readonly open: readonly string[]
  readonly undecided?: number
}

interface Scenario {
  readonly name: string
  readonly says: string
  readonly target: number
  readonly lossPercent: number
  readonly aim: number | undefined
  readonly contenders: readonly Contender[]
}

interface Score {
  readonly seconds: number
  readonly missed: number
  readonly invented: number
  readonly undecided: number | undefined
}

const PORTS = spreadPorts(100)
/** Of 1 to 1000, on each of 256 addresses. */
const FEW = [22, 80, 443, 993]
const NETWORK = '10.97.0.0/24'
const ROUNDS_USUAL = 3
/** What takes minutes is stopped there, and its ratio is then "at least". nmap takes about 90 s behind a drop, and 220 s for a network there. */
const TIME_MS_MAX = 150_000
/** What took so long is not repeated. */
const LONG_SECONDS = 30
/** Not nmap's list of names, only a hundred ports of the same kind for everyone. */
const UDP_PORTS = '1-100'

const where = ({ ipv4, prefix }: LabTarget): string => prefix ?? ipv4

const portcullis = (name: string, ...argv: readonly string[]): Contender => ({
  name,
  scan: async (lab, target) => {
    const { endpoints, counts } = await lab.command([where(target), ...argv])
    return { open: endpoints.filter(({ state }) => state === 'open').map(({ address, port }) => `${address}:${port}`), undecided: counts.udp['open|filtered'] }
  },
})

const nmap = (name: string, ...options: readonly string[]): Contender => ({
  name,
  scan: async (lab, target) => {
    const text = await lab.inVantage(['nmap', '-n', '-Pn', '-T4', '-oG', '-', ...options, where(target)], { timeoutMs: TIME_MS_MAX })
    const open: string[] = []
    let undecided = 0
    for (const line of text.split('\n')) {
      const address = /^Host: ([0-9.]+)/.exec(line)?.[1] ?? ''
      for (const match of line.matchAll(/([0-9]+)\/open\/(?:tcp|udp)/g)) open.push(`${address}:${match[1]}`)
      undecided += [...line.matchAll(/\/open\|filtered\/udp/g)].length + Number(/Ignored State: open\|filtered \(([0-9]+)\)/.exec(line)?.[1] ?? 0)
    }
    return { open, undecided }
  },
})

const masscan = (rate: number, ports: string): Contender => ({
  name: `masscan --rate ${rate}`,
  scan: async (lab, target) => {
    // It knows no neighbours, only a router: the target is made to be that.
    const route = ['-e', 'lan', '--adapter-ip', VANTAGE_IPV4, '--router-mac', target.mac]
    const text = await lab.inVantage(['masscan', where(target), '-p', ports, '--rate', String(rate), '--wait', '2', '-oL', '-', ...route], { timeoutMs: TIME_MS_MAX })
    return { open: [...text.matchAll(/^open tcp ([0-9]+) ([0-9.]+)/gm)].map((match) => `${match[2]}:${match[1]}`) }
  },
})

const ALL = ['-p', '1-65535']
const onAllPorts: readonly Contender[] = [portcullis('portcullis scan'), portcullis('… --rate 1000000', '--rate', '1000000'), nmap('nmap -sS -T4', '-sS', ...ALL), nmap('nmap -sT -T4', '-sT', ...ALL), masscan(100_000, '1-65535')]
const onNetwork: readonly Contender[] = [portcullis('portcullis scan', '--ports', '1-1000'), nmap('nmap -sS -T4', '-sS', '-p', '1-1000'), nmap('nmap -sT -T4', '-sT', '-p', '1-1000'), masscan(100_000, '1-1000')]
const onUdp: readonly Contender[] = [portcullis('portcullis scan', '--ports', '', '--udp', UDP_PORTS), portcullis('… --udp-seconds 120', '--ports', '', '--udp', UDP_PORTS, '--udp-seconds', '120'), nmap('nmap -sU -T4', '-sU', '-p', UDP_PORTS)]
const behindDrop: readonly Contender[] = [...onAllPorts.filter(({ name }) => name !== 'nmap -sT -T4'), nmap('nmap -sS, 100k/s forced', '-sS', ...ALL, '--min-rate', '100000', '--max-retries', '1')]

const SCENARIOS: readonly Scenario[] = [
  { name: 'answering', says: '65,535 ports, closed ones answer', target: 0, lossPercent: 0, aim: 2, contenders: onAllPorts },
  { name: 'drop', says: '65,535 ports behind a drop', target: 1, lossPercent: 0, aim: 20, contenders: behindDrop },
  { name: 'network', says: '256 addresses × 1,000 ports, closed ones answer', target: 2, lossPercent: 0, aim: 1.5, contenders: onNetwork },
  { name: 'lossy', says: '65,535 ports, closed ones answer, 1 % lost each way', target: 0, lossPercent: 1, aim: undefined, contenders: onAllPorts },
  { name: 'lossy-drop', says: '65,535 ports behind a drop, 1 % lost each way', target: 1, lossPercent: 1, aim: undefined, contenders: onAllPorts.slice(0, 2) },
  { name: 'lossy-network', says: '256 addresses × 1,000 ports, 1 % lost each way', target: 2, lossPercent: 1, aim: undefined, contenders: onNetwork },
  { name: 'udp', says: '100 UDP ports, all closed (Linux tells of one a second)', target: 0, lossPercent: 0, aim: undefined, contenders: onUdp },
  { name: 'udp-drop', says: '100 UDP ports behind a drop', target: 1, lossPercent: 0, aim: undefined, contenders: [onUdp[0], onUdp[2]].flatMap((one) => one ?? []) },
]

export async function run([rounds = String(ROUNDS_USUAL), ...names]: readonly string[]): Promise<void> {
  const lab = await openScanLab('pcb-', [
    { behaviour: 'answers', openPorts: PORTS },
    { behaviour: 'drops', openPorts: PORTS },
    { behaviour: 'answers', openPorts: FEW, prefix: NETWORK },
  ])
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      lab.close()
      process.exit(130)
    })
  }
  try {
    for (const scenario of SCENARIOS.filter(({ name }) => names.length === 0 || names.includes(name))) await play(lab, scenario, Number(rounds))
  } finally {
    lab.close()
  }
}

/** In turn, so that what else the machine does meets everyone. */
async function play(lab: ScanLab, { name, says, target: number, lossPercent, aim, contenders }: Scenario, rounds: number): Promise<void> {
  const target = lab.targets[number]
  if (!target) throw new Error(`no target ${number}`)
  const expected = expectedOf(target, name.startsWith('udp'))
  process.stdout.write(`\n${says}${aim === undefined ? '' : ` (aim: ${aim} × nmap -sS)`}\n`)
  lab.setLoss(lossPercent)
  const scores = contenders.map((): Score[] => [])
  for (let round = 0; round < rounds; round++) {
    for (const [index, contender] of contenders.entries()) {
      const own = scores[index]
      if (own && (own.at(-1)?.seconds ?? 0) < LONG_SECONDS) own.push(await score(lab, contender, target, expected))
    }
  }
  const peer = contenders.findIndex(({ name }) => name.startsWith('nmap -s'))
  const peerSeconds = medianSeconds(scores[peer] ?? [])
  process.stdout.write(`  ${''.padEnd(26)}    median       best${contenders[peer] ? `   speed ÷ ${contenders[peer].name}` : ''}\n`)
  for (const [index, { name }] of contenders.entries()) process.stdout.write(`  ${name.padEnd(26)}${rowOf(scores[index] ?? [], peerSeconds)}\n`)
}

function rowOf(scores: readonly Score[], peerSeconds: number): string {
  const seconds = medianSeconds(scores)
  const most = (of: (score: Score) => number): number => Math.max(0, ...scores.map(of))
  const best = Math.min(...scores.map((one) => one.seconds))
  const bounded = peerSeconds * 1000 >= TIME_MS_MAX ? '≥ ' : ''
  const undecided = most((one) => one.undecided ?? 0)
  const stopped = seconds * 1000 >= TIME_MS_MAX ? ', stopped: missed is what it had not printed' : ''
  const ratio = Number.isNaN(peerSeconds) ? '' : `${bounded}${(peerSeconds / seconds).toFixed(2)} ×`
  return `${seconds.toFixed(2).padStart(8)} s ${best.toFixed(2).padStart(8)} s ${ratio.padStart(11)}   missed ${most((one) => one.missed)}, invented ${most((one) => one.invented)}${undecided > 0 ? `, undecided ${undecided}` : ''}${stopped}`
}

async function score(lab: ScanLab, contender: Contender, target: LabTarget, expected: ReadonlySet<string>): Promise<Score> {
  const startedMs = performance.now()
  const scanned = await contender.scan(lab, target).catch((error: unknown): Found => {
    if (performance.now() - startedMs < TIME_MS_MAX) throw error
    return { open: [] }
  })
  const seconds = (performance.now() - startedMs) / 1000
  const found = new Set(scanned.open)
  return { seconds, missed: [...expected].filter((one) => !found.has(one)).length, invented: [...found].filter((one) => !expected.has(one)).length, undecided: scanned.undecided }
}

/** Over UDP nobody is served. */
function expectedOf({ ipv4, prefix, openPorts }: LabTarget, isUdp: boolean): ReadonlySet<string> {
  if (isUdp) return new Set()
  const addresses = prefix === undefined ? [ipv4] : Array.from({ length: 256 }, (_, last) => prefix.replace('0/24', String(last)))
  return new Set(addresses.flatMap((address) => openPorts.map((port) => `${address}:${port}`)))
}

function medianSeconds(scores: readonly Score[]): number {
  const sorted = scores.map((one) => one.seconds).toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}

if (import.meta.main) await run(process.argv.slice(2))
