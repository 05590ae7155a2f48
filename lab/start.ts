import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { certificatesNeeded, makeAuthority } from './certificate.ts'
import { openVantage, type Vantage } from './clients/vantage.ts'
import { killGroup, LAB_PATH, mustRun } from './command.ts'
import { startService } from './daemons/catalogue.ts'
import type { Site } from './daemons/daemon.ts'
import { startFirewall } from './firewalls/firewall.ts'
import { addressLine, batch } from './netns.ts'
import { labHost, type LabHost } from './host.ts'
import { machineFolder, prepareMachines, type SshAccess } from './machine.ts'
import { claim, keep, release, remember } from './registry.ts'
import { addressOf, flawsOf, gatewayOf, lengthIn, networkNamed, type Interface, type World, type WorldHost } from './world.ts'

/** A running world. */
export interface Lab extends AsyncDisposable {
  readonly world: World
  readonly prefix: string
  /** Folder of this lab, gone after `stop`. */
  readonly directory: string
  readonly ssh: SshAccess
  /** The namespace that bridges and routes all networks, and reaches every host. */
  readonly switchNamespace: string
  /** Throws for a name that the world does not have. */
  host(name: string): LabHost
  readonly hosts: readonly LabHost[]
  /** A place from which services are used: a host by its name, or the switch. Opened once, closed with the lab. */
  vantage(name: string): Vantage
  /** Ends every process in it and removes all traces. */
  stop(): Promise<void>
}

export interface StartOptions {
  /** Namespaces are named PREFIX-HOST. Default `lab-PID`, so that labs can stand side by side. */
  readonly prefix?: string
  /** Leaves the lab standing when this process ends; `lab down` removes it. */
  readonly keep?: boolean
}

/** Starts every host of a world in network namespaces. If anything fails, what had started is taken down again. */
export async function startWorld(world: World, options: StartOptions = {}): Promise<Lab> {
  const flaws = flawsOf(world)
  if (flaws.length > 0) throw new Error(`this world cannot start: ${flaws.join('; ')}`)
  const prefix = options.prefix ?? `lab-${process.pid}`
  const directory = claim(prefix)
  try {
    const ssh = prepareMachines(directory, world)
    const hosts = await startHosts(world, prefix, directory)
    const lab = running(world, { prefix, directory, ssh, hosts })
    await startServices(lab)
    if (options.keep) keep(prefix)
    return lab
  } catch (error) {
    release(prefix)
    throw error
  }
}

function running(world: World, { prefix, directory, ssh, hosts }: Pick<Lab, 'prefix' | 'directory' | 'ssh' | 'hosts'>): Lab {
  const byName = new Map(hosts.map((host) => [host.name, host]))
  const vantages = new Map<string, Vantage>()
  const switchNamespace = `${prefix}-switch`
  const hostNamed = (name: string) => {
    const host = byName.get(name)
    if (host === undefined) throw new Error(`the lab has no host ${name}`)
    return host
  }
  const insideOf = (name: string) =>
    name === 'switch' ? (argv: readonly string[]) => ['ip', 'netns', 'exec', switchNamespace, ...argv] : hostNamed(name).inside
  const stop = async () => {
    for (const vantage of vantages.values()) vantage.close()
    release(prefix)
  }
  return {
    world,
    prefix,
    directory,
    ssh,
    hosts,
    switchNamespace,
    host: hostNamed,
    vantage(name) {
      const vantage = vantages.get(name) ?? openVantage(insideOf(name))
      vantages.set(name, vantage)
      return vantage
    },
    stop,
    [Symbol.asyncDispose]: stop,
  }
}

/** Every service of every host, side by side; a host's firewall comes last, as the services it lets through are what it was written for. */
async function startServices(lab: Lab): Promise<void> {
  const site = siteOf(lab)
  if (certificatesNeeded(lab.world)) await makeAuthority(lab.directory)
  await Promise.all(
    lab.hosts.map(async (host) => {
      await Promise.all(host.spec.services.map((service) => startService(host, service, site)))
      if (host.spec.firewall !== undefined) await startFirewall(host, host.spec.firewall)
    }),
  )
}

function siteOf(lab: Lab): Site {
  const fromSwitch = () => lab.vantage('switch')
  return {
    world: lab.world,
    directory: lab.directory,
    ssh: lab.ssh,
    async connects(host, port) {
      return (await fromSwitch().perform({ kind: 'connect', address: addressOf(host.spec, 4), port })).ok
    },
    async answers(host, port, text) {
      return (await fromSwitch().perform({ kind: 'datagram', address: addressOf(host.spec, 4), port, text, reply: `ACK ${text}` })).ok
    },
  }
}

/** Every host boots, then all cables are plugged in at once, then the hosts configure their ends. */
async function startHosts(world: World, prefix: string, directory: string): Promise<LabHost[]> {
  remember(prefix, ['switch', ...world.hosts.map((host) => host.name)].map((name) => `${prefix}-${name}`))
  const boots = await Promise.all(world.hosts.map((host) => boot(world, host, machineFolder(directory, host.name))))
  await batch([`netns add ${prefix}-switch`, ...boots.map((boot) => `netns attach ${prefix}-${boot.spec.name} ${boot.initPid}`)])
  await wire(world, prefix)
  return Promise.all(
    boots.map(async ({ spec, folder, initPid, configure }) => {
      await configure()
      return labHost({ spec, netns: `${prefix}-${spec.name}`, folder, initPid })
    }),
  )
}

/** The switch with a bridge for each network, and a cable from every interface to its bridge. */
async function wire(world: World, prefix: string): Promise<void> {
  const bridges = world.networks.flatMap((network) => [
    `link add ${network.name} type bridge`,
    addressLine(network.name, `${gatewayOf(network, 4)}/${lengthIn(network.ipv4)}`),
    addressLine(network.name, `${gatewayOf(network, 6)}/${lengthIn(network.ipv6)}`),
    `link set ${network.name} up`,
  ])
  const cables = world.hosts.flatMap((host) =>
    host.interfaces.flatMap((face, index) => [
      `link add ${host.name}.${index} type veth peer name eth${index} netns ${prefix}-${host.name}`,
      `link set ${host.name}.${index} master ${face.network} up`,
    ]),
  )
  await Promise.all([batch(['link set lo up', ...bridges, ...cables], `${prefix}-switch`), forward(`${prefix}-switch`)])
}

const forward = (netns: string): Promise<string> =>
  mustRun(['ip', 'netns', 'exec', netns, 'sysctl', '-qw', 'net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1'])

interface Boot {
  readonly spec: WorldHost
  readonly folder: string
  /** As this process knows it. */
  readonly initPid: number
  /** To be called when the host's interfaces exist; resolves when they have their addresses. */
  readonly configure: () => Promise<void>
}

async function boot(world: World, spec: WorldHost, folder: string): Promise<Boot> {
  writeFileSync(join(folder, 'network'), networkLines(world, spec).join('\n'))
  if (spec.services.some((service) => service.daemon === 'openssh')) writeFileSync(join(folder, 'sshd'), '')
  const init = spawn('unshare', [...UNSHARE, '/bin/sh', INIT, folder, spec.name], {
    stdio: 'pipe',
    detached: true,
    cwd: '/',
    env: { PATH: `/usr/local/sbin:/usr/local/bin:${LAB_PATH}`, LC_ALL: 'C.UTF-8' },
  })
  const hears = listen(init, spec.name)
  const initPid = Number(await hears(/^up (\d+)$/))
  writeFileSync(join(folder, 'init.pid'), String(initPid))
  return {
    spec,
    folder,
    initPid,
    async configure() {
      init.stdin.end('go\n')
      await hears(/^(ready)$/)
      // Running hosts are no reason for this process to go on.
      for (const handle of [init, init.stdout, init.stderr] as unknown as { unref(): void }[]) handle.unref()
    },
  }
}

const INIT = join(import.meta.dirname, 'init.sh')
const UNSHARE = ['--net', '--mount', '--uts', '--pid', '--fork', '--kill-child', '--propagation', 'slave', '--']

function networkLines(world: World, host: WorldHost): string[] {
  const addresses = (face: Interface, index: number) => {
    const network = networkNamed(world, face.network)
    return [
      addressLine(`eth${index}`, `${face.ipv4}/${lengthIn(network.ipv4)}`),
      addressLine(`eth${index}`, `${face.ipv6}/${lengthIn(network.ipv6)}`),
      `link set eth${index} up`,
    ]
  }
  const [first] = host.interfaces
  const gateways = first === undefined ? [] : ([4, 6] as const).map((family) => gatewayOf(networkNamed(world, first.network), family))
  return ['link set lo up', ...host.interfaces.flatMap(addresses), ...gateways.map((via) => `route add default via ${via}`), '']
}

/** Hands out the lines that a booting host says, in order; each must match, and come before the limit. */
function listen(init: ChildProcessWithoutNullStreams, name: string): (pattern: RegExp) => Promise<string> {
  let complaint = ''
  init.stderr.on('data', (chunk: Buffer) => (complaint += chunk.toString()))
  const lines = createInterface(init.stdout)[Symbol.asyncIterator]()
  return async (pattern) => {
    const late = setTimeout(() => killGroup(init, 'SIGKILL'), BOOT_MS_MAX)
    const { value = '', done } = await lines.next()
    // Its last words come on the other pipe, which may be read later.
    if (done && init.exitCode === null && init.signalCode === null) await once(init, 'close')
    clearTimeout(late)
    const said = pattern.exec(value)?.[1]
    if (said === undefined) throw new Error(`${name} did not start: ${complaint.trim() || value || `no answer within ${BOOT_MS_MAX} ms`}`)
    return said
  }
}

/** A hundred hosts that boot at once on a busy machine take seconds; one that takes longer than this is stuck. */
const BOOT_MS_MAX = 60_000
