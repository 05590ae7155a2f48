import type { Tier } from '../policy/policy.ts'

/** What is known of a host when waves are made. */
export interface WaveHost {
  readonly name: string
  readonly tier: Tier
  /** Hosts of one application are replicas of each other; a host alone is its own. */
  readonly app: string
  /** Where it stands: a site, a rack. */
  readonly zone: string
}

export interface Wave {
  readonly name: string
  readonly kind: 'canary' | 'standard' | 'core'
  /** In the order in which they are begun. */
  readonly hosts: readonly string[]
}

export interface WaveOptions {
  /** Share of the hosts that are not core; rounded up, at least one host. */
  readonly canaryShare: number
  /** How much larger each wave is than the one before. */
  readonly growth: number
  /** Shares of the hosts that are not core, canary first, instead of growing; what is left is one wave more. */
  readonly shares?: readonly number[]
  /** Hosts that come first among their kind, in this order. */
  readonly first?: readonly string[]
}

/** Canary, then standard hosts in growing waves, core hosts last: one first, then growing too. Each host is in exactly one wave. */
export function planWaves(hosts: readonly WaveHost[], options: WaveOptions): readonly Wave[] {
  const standard = spread(hosts.filter((host) => host.tier !== 'core'), options.first ?? [])
  const core = spread(hosts.filter((host) => host.tier === 'core'), options.first ?? [])
  const standardCuts = options.shares ? shareCuts(standard.length, options.shares) : growingCuts(standard.length, canarySize(standard.length, options.canaryShare), options.growth)
  const [canary = [], ...rest] = cutAt(standard, standardCuts)
  const coreWaves = cutAt(core, growingCuts(core.length, 1, options.growth))
  const waves: Wave[] = [
    ...(canary.length === 0 ? [] : [{ name: 'canary', kind: 'canary' as const, hosts: canary }]),
    ...rest.map((names, index): Wave => ({ name: `standard-${index + 1}`, kind: 'standard', hosts: names })),
    ...coreWaves.map((names, index): Wave => ({ name: `core-${index + 1}`, kind: 'core', hosts: names })),
  ]
  return waves
}

export const canarySize = (hosts: number, share: number): number => Math.min(hosts, Math.max(1, Math.ceil(hosts * share - ROUNDING)))

/** Ten per cent of 30 hosts is 3, though 30 × 0.1 is a little more than that in binary fractions. */
const ROUNDING = 1e-9

/** Takes one host of each application and zone in turn, so that the hosts of any wave are spread as wide as there are applications and zones. */
function spread(hosts: readonly WaveHost[], first: readonly string[]): string[] {
  const sorted = hosts.toSorted((a, b) => compareText(a.name, b.name))
  const asked = first.flatMap((name) => sorted.filter((host) => host.name === name))
  const apps = [...Map.groupBy(sorted.filter((host) => !first.includes(host.name)), (host) => host.app).values()]
  const queues = apps.map((members, index) => alternateZones(members, index))
  const rounds = Math.max(0, ...queues.map((queue) => queue.length))
  const turns = Array.from({ length: rounds }, (_, round) => queues.flatMap((queue) => queue.slice(round, round + 1)))
  return [...asked, ...turns.flat()].map((host) => host.name)
}

/** Each application begins in another zone than the one before. */
function alternateZones(members: readonly WaveHost[], offset: number): WaveHost[] {
  const zones = [...Map.groupBy(members, (host) => host.zone).values()]
  const turned = zones.map((_, index) => zones[(index + offset) % zones.length] ?? [])
  const rounds = Math.max(0, ...turned.map((zone) => zone.length))
  return Array.from({ length: rounds }, (_, round) => turned.flatMap((zone) => zone.slice(round, round + 1))).flat()
}

function growingCuts(total: number, first: number, growth: number): number[] {
  const cuts: number[] = []
  for (let [at, size] = [0, first]; at < total; size = Math.max(size + 1, Math.ceil(size * growth))) {
    at = Math.min(total, at + size)
    cuts.push(at)
  }
  return cuts
}

function shareCuts(total: number, shares: readonly number[]): number[] {
  const cuts: number[] = []
  for (const share of shares) {
    const at = Math.min(total, (cuts.at(-1) ?? 0) + canarySize(total, share))
    if (at > (cuts.at(-1) ?? 0)) cuts.push(at)
  }
  return (cuts.at(-1) ?? 0) < total ? [...cuts, total] : cuts
}

const cutAt = (names: readonly string[], cuts: readonly number[]): string[][] => cuts.map((end, index) => names.slice(cuts[index - 1] ?? 0, end))

const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
