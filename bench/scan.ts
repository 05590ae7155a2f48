import { openScanLab, spreadPorts, VANTAGE_IPV4, type LabTarget, type ScanLab } from '../adapters/prober/scanLab.ts'

/**
 * The prober beside nmap and masscan, in the same namespaces and the same run: time, and open ports missed or invented.
 * Ratios hold across machines, times do not. Needs root: `npm run bench -- scan [REPETITIONS]`.
 */
export const title = 'scan: 65,535 ports beside nmap and masscan'

interface Contender {
  readonly name: string
  readonly scan: (lab: ScanLab, target: LabTarget) => Promise<readonly number[]>
}

interface Scenario {
  readonly name: string
  readonly target: number
  readonly lossPercent: number
  readonly contenders: readonly Contender[]
}

interface Score {
  readonly seconds: number
  readonly missed: number
  readonly invented: number
}

const PORTS = spreadPorts(100)
const REPETITIONS_DEFAULT = '3'

const prober = (name: string, spec: object): Contender => ({
  name,
  scan: async (lab, { ipv4 }) => (await lab.scan({ targets: [ipv4], ...spec })).endpoints.map(({ port }) => port),
})

const nmap = (name: string, ...options: readonly string[]): Contender => ({
  name,
  scan: async (lab, { ipv4 }) => {
    const text = await lab.inVantage(['nmap', '-n', '-Pn', '-p', '1-65535', '--open', '-oG', '-', ...options, ipv4])
    return [...text.matchAll(/([0-9]+)\/open\/tcp/g)].map((match) => Number(match[1]))
  },
})

const masscan = (rate: number): Contender => ({
  name: `masscan --rate ${rate}`,
  scan: async (lab, { ipv4, mac }) => {
    // It knows no neighbours, only a router: the target is made to be that.
    const route = ['-e', 'lan', '--adapter-ip', VANTAGE_IPV4, '--router-mac', mac]
    const text = await lab.inVantage(['masscan', ipv4, '-p', '1-65535', '--rate', String(rate), '--wait', '2', '-oL', '-', ...route])
    return [...text.matchAll(/^open tcp ([0-9]+)/gm)].map((match) => Number(match[1]))
  },
})

const SCENARIOS: readonly Scenario[] = [
  {
    name: '65,535 ports, closed ones answer',
    target: 0,
    lossPercent: 0,
    contenders: [prober('portcullis', {}), prober('portcullis, connecting', { method: 'connect' }), nmap('nmap -sS -T4', '-sS', '-T4'), nmap('nmap -sT -T4', '-sT', '-T4'), masscan(100_000)],
  },
  {
    name: '65,535 ports behind a drop',
    target: 1,
    lossPercent: 0,
    contenders: [prober('portcullis', {}), nmap('nmap -sS -T4', '-sS', '-T4'), nmap('nmap -sS, 100k/s forced', '-sS', '-T4', '--min-rate', '100000', '--max-retries', '1'), masscan(100_000)],
  },
  {
    name: '65,535 ports, closed ones answer, 1 % lost each way',
    target: 0,
    lossPercent: 1,
    contenders: [prober('portcullis', {}), nmap('nmap -sS -T4', '-sS', '-T4'), masscan(100_000)],
  },
]

export async function run([repetitions = REPETITIONS_DEFAULT]: readonly string[]): Promise<void> {
  const lab = await openScanLab('pbb-', [
    { behaviour: 'answers', openPorts: PORTS },
    { behaviour: 'drops', openPorts: PORTS },
  ])
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      lab.close()
      process.exit(130)
    })
  }
  try {
    for (const scenario of SCENARIOS) await play(lab, scenario, Number(repetitions))
  } finally {
    lab.close()
  }
}

async function play(lab: ScanLab, { name, target, lossPercent, contenders }: Scenario, repetitions: number): Promise<void> {
  process.stdout.write(`\n${name}\n`)
  lab.setLoss(lossPercent)
  let first: number | undefined
  for (const contender of contenders) {
    const scores: Score[] = []
    // What takes minutes is not repeated: one run tells it apart from what takes a second.
    for (let turn = 0; turn < repetitions && (scores.at(-1)?.seconds ?? 0) < 30; turn++) scores.push(await score(lab, contender, target))
    const seconds = median(scores.map((one) => one.seconds))
    first ??= seconds
    const [missed, invented] = [Math.max(...scores.map((one) => one.missed)), Math.max(...scores.map((one) => one.invented))]
    const ratio = `${(seconds / first).toFixed(2)} ×`.padStart(9)
    process.stdout.write(`  ${contender.name.padEnd(26)}${seconds.toFixed(2).padStart(8)} s ${ratio}   missed ${missed}, invented ${invented} of ${PORTS.length}\n`)
  }
}

async function score(lab: ScanLab, contender: Contender, number: number): Promise<Score> {
  const target = lab.targets[number]
  if (!target) throw new Error(`no target ${number}`)
  const startedMs = performance.now()
  const found = new Set(await contender.scan(lab, target))
  const seconds = (performance.now() - startedMs) / 1000
  const open = new Set(target.openPorts)
  return { seconds, missed: target.openPorts.filter((port) => !found.has(port)).length, invented: [...found].filter((port) => !open.has(port)).length }
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}

if (import.meta.main) await run(process.argv.slice(2))
