import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { intentOf, type IntentShorthand } from '@portcullis/core/ruleset/nft/golden/intents.ts'
import { renderNft } from '@portcullis/core/ruleset/nft/render.ts'
import { openNamespaces, type Namespace, type Namespaces, type Spawned } from '../netns.ts'

/** Two machines on one cable: what stands outside, and the host whose ports are closed. */
export interface Trap extends AsyncDisposable {
  readonly spaces: Namespaces
  readonly outside: Namespace
  readonly host: Namespace
}

export const OUTSIDE = { ipv4: '10.61.0.1', other: '10.61.0.9', ipv6: 'fd61::1' } as const
export const HOST = { ipv4: '10.61.0.2', ipv6: 'fd61::2' } as const

/** Each test file has a name of its own, so that files can run side by side. */
export async function openTrap(name: string): Promise<Trap> {
  const spaces = openNamespaces(`rt-${name}`)
  const [outside, host] = [await spaces.add('out'), await spaces.add('host')]
  await spaces.link(
    { at: outside, device: 'eth0', addresses: [`${OUTSIDE.ipv4}/24`, `${OUTSIDE.other}/24`, `${OUTSIDE.ipv6}/64`] },
    { at: host, device: 'eth0', addresses: [`${HOST.ipv4}/24`, `${HOST.ipv6}/64`] },
  )
  // A new link is silent on IPv6 for its first second, gate or no gate.
  await until(async () => (await outside.run(['ping', '-c1', '-W1', HOST.ipv6])).exitCode === 0)
  return { spaces, outside, host, [Symbol.asyncDispose]: () => spaces.close() }
}

export const CONTAINER = { ipv4: '172.31.0.2', gateway: '172.31.0.1' } as const

/** A container as Docker has it: a further namespace behind the host, reached by its address only through the host. */
export async function addContainer({ spaces, host }: Trap): Promise<Namespace> {
  const container = await spaces.add('box')
  await spaces.link(
    { at: host, device: 'docker0', addresses: [`${CONTAINER.gateway}/24`] },
    { at: container, device: 'eth0', addresses: [`${CONTAINER.ipv4}/24`] },
  )
  await host.must(['sysctl', '-qw', 'net.ipv4.ip_forward=1'])
  await container.must(['ip', 'route', 'add', 'default', 'via', CONTAINER.gateway])
  return container
}

/** What `docker run -p 8080:80` leaves in nftables. */
export const DOCKER_RULES = `
table ip docker {
	chain prerouting { type nat hook prerouting priority dstnat; policy accept; fib daddr type local tcp dport 8080 dnat to ${CONTAINER.ipv4}:80; }
	chain output { type nat hook output priority -100; policy accept; fib daddr type local tcp dport 8080 dnat to ${CONTAINER.ipv4}:80; }
	chain postrouting { type nat hook postrouting priority srcnat; policy accept; ip saddr 172.31.0.0/24 oifname != "docker0" masquerade; }
	chain forward { type filter hook forward priority filter; policy accept; iifname "eth0" oifname "docker0" ct state new tcp dport != 80 drop; }
}
`

const digestOf = (text: string): string => createHash('sha256').update(text).digest('hex')

export const textOf = (intent: IntentShorthand): string => renderNft(intentOf(intent), { digestOf }).text

export const load = (space: Namespace, text: string): Promise<string> => space.must(['nft', '-f', '-'], { input: text })

/** The host script in a namespace, with a state folder of its own. */
export interface Script extends Disposable {
  /** Its folder of what does not outlive a boot. */
  readonly run: string
  /** Throws where the call is refused. Returns what it prints. `before`: a command that starts it. */
  say(words: string, input?: string, before?: readonly string[]): Promise<string>
  /** Everything up to the swap. */
  prepare(generation: number, text: string): Promise<void>
}

const SCRIPT = join(import.meta.dirname, '../../host/portcullis-host')

export function openScript(space: Namespace): Script {
  const state = mkdtempSync(join(tmpdir(), `${space.netns}-`))
  const run = join(state, 'run')
  const settings = [`PORTCULLIS_STATE=${state}`, `PORTCULLIS_RUN=${run}`, 'PORTCULLIS_INIT=none', 'PORTCULLIS_WARM_SECONDS=0']
  const say = (words: string, input = '', before: readonly string[] = []): Promise<string> => space.must([...before, 'env', ...settings, SCRIPT, ...words.split(' ')], { input })
  return {
    run,
    say,
    async prepare(generation, text) {
      await say(`stage ${generation} ${digestOf(text)}`, text)
      await say('arm 600')
    },
    [Symbol.dispose]: () => rmSync(state, { recursive: true, force: true }),
  }
}

/** A text with its cure taken out. Throws when the cure is not in it, so that a test cannot outlive what it tests. */
export function without(text: string, cure: string, instead = ''): string {
  if (!text.includes(cure)) throw new Error(`the text has no "${cure}"`)
  return text.replaceAll(cure, instead)
}

/** Replaces the table by deleting it: what the text avoids. */
export const anew = (text: string): string => `table inet portcullis { }\ndelete table inet portcullis\n${text}`

/** Sets and their elements as the verbs of the host script put them in: `{ block4: '10.61.0.9', watch_in: 'ipv4' }`, for a minute unless they say so. */
export const put = (space: Namespace, elements: Readonly<Record<string, string>>): Promise<string> =>
  load(space, Object.entries(elements).map(([set, element]) => `add element inet portcullis ${set} { ${element.includes('timeout') ? element : `${element} timeout 1m`} }\n`).join(''))

/** Answers `hello` to each TCP connection, on IPv4 and IPv6, and echoes each UDP datagram. */
export async function serve(space: Namespace, protocol: 'tcp' | 'udp', port: number): Promise<Spawned> {
  const address =
    protocol === 'tcp' ? `TCP6-LISTEN:${port},ipv6only=0,reuseaddr,fork,backlog=64` : `UDP6-RECVFROM:${port},ipv6only=0,fork`
  const server = space.spawn(['socat', address, protocol === 'tcp' ? 'EXEC:echo hello' : 'PIPE'])
  await until(async () => (await space.must(['ss', '-Hlnu', '-t', `sport = :${port}`])).trim() !== '')
  return server
}

/** `refused`: told at once that nobody is there (a reset, an ICMP error); `silent`: told nothing within a second. */
export type Reach = 'open' | 'refused' | 'silent'

export async function reach(from: Namespace, protocol: 'tcp' | 'udp', address: string, port: number, source?: string): Promise<Reach> {
  const bind = source === undefined ? '' : `,bind=${bracketed(source)}`
  const target = `${protocol.toUpperCase()}${address.includes(':') ? '6' : '4'}:${bracketed(address)}:${port}${bind}`
  const probe =
    protocol === 'tcp'
      ? await from.run(['socat', '-u', `${target},connect-timeout=1`, '-'])
      : await from.run(['socat', '-T1', '-', target], { input: 'hello' })
  if (probe.stdout.includes('hello')) return 'open'
  return /refused|reset/i.test(probe.stderr) ? 'refused' : 'silent'
}

const bracketed = (address: string): string => (address.includes(':') ? `[${address}]` : address)

/** Waits until something holds; at most 5 s, because everything in these worlds happens within milliseconds. */
export async function until(holds: () => Promise<boolean>, limitMs = 5_000): Promise<void> {
  const deadline = performance.now() + limitMs
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`not so after ${limitMs} ms: ${holds.toString()}`)
    await sleep(20)
  }
}

export const sleep = (durationMs: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, durationMs))

/** The counted elements of a set of counters, `10.61.0.1 . tcp . 23` → packets. */
export async function counted(space: Namespace, set: string): Promise<Record<string, number>> {
  const listing = await space.must(['nft', 'list', 'set', 'inet', 'portcullis', set])
  const elements = listing.matchAll(/([0-9a-z.:-]+(?: \. [0-9a-z.:-]+)*) counter packets (\d+)/g)
  return Object.fromEntries([...elements].map(([, key = '', packets]) => [key, Number(packets)]))
}

export async function counterOf(space: Namespace, name: string): Promise<number> {
  const listing = await space.must(['nft', 'list', 'counter', 'inet', 'portcullis', name])
  return Number(/packets (\d+)/.exec(listing)?.[1])
}
