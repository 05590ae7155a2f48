import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { certificatesNeeded, makeAuthority } from './certificate.ts'
import { openVantage, type Vantage } from './clients/vantage.ts'
import { killGroup, LAB_PATH, mustRun } from './command.ts'
import { startService } from './daemons/catalogue.ts'
import type { Site } from './daemons/daemon.ts'
import { startFirewall } from './firewalls/firewall.ts'
import { addNamespaces, addressLine, batch } from './netns.ts'
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
    await addNamespaces(prefix, [switchOf(prefix)])
    const vantages = new Map<string, Vantage>()
    // What services are awaited from takes as long to start as a few hosts, so it does meanwhile.
    if (world.hosts.some((host) => host.services.some((service) => service.daemon !== 'openssh'))) vantages.set('switch', openVantage(insideSwitch(prefix)))
    const hosts = await startHosts(world, prefix, directory)
    const lab = running(world, { prefix, directory, ssh, hosts, vantages })
    await startServices(lab)
    if (options.keep) keep(prefix)
    return lab
  } catch (error) {
    release(prefix)
    throw error
  }
}

const switchOf = (prefix: string): string => `${prefix}-switch`
const insideSwitch = (prefix: string) => (argv: readonly string[]) => ['ip', 'netns', 'exec', switchOf(prefix), ...argv]

type Started = Pick<Lab, 'prefix' | 'directory' | 'ssh' | 'hosts'> & { readonly vantages: Map<string, Vantage> }

function running(world: World, { prefix, directory, ssh, hosts, vantages }: Started): Lab {
  const byName = new Map(hosts.map((host) => [host.name, host]))
  const hostNamed = (name: string) => {
    const host = byName.get(name)
    if (host === undefined) throw new Error(`the lab has no host ${name}`)
    return host
  }
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
    switchNamespace: switchOf(prefix),
    host: hostNamed,
    vantage(name) {
      const vantage = vantages.get(name) ?? openVantage(name === 'switch' ? insideSwitch(prefix) : hostNamed(name).inside)
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

/** Every host boots and plugs its cables into the switch; then it gets its name there, and what stands goes on without this process. */
async function startHosts(world: World, prefix: string, directory: string): Promise<LabHost[]> {
  remember(prefix, world.hosts.map((host) => `${prefix}-${host.name}`))
  // Before the hosts: the kernel lets a process that sets forwarding spin for as long as others make interfaces.
  await makeBridges(world, switchOf(prefix))
  const launcher = launch(world, prefix, directory)
  try {
    const initPids = await hearAll(launcher, world, directory)
    await batch([...initPids].map(([host, initPid]) => `netns attach ${prefix}-${host} ${initPid}`))
    await batch(world.hosts.flatMap(plugs), switchOf(prefix))
    goOn(launcher, initPids, directory)
    return world.hosts.map((spec) => {
      const initPid = initPids.get(spec.name) ?? -1
      return labHost({ spec, netns: `${prefix}-${spec.name}`, folder: machineFolder(directory, spec.name), initPid })
    })
  } catch (error) {
    await abandon(launcher)
    throw error
  }
}

/** A bridge for each network, which routes to all others. */
async function makeBridges(world: World, switchNamespace: string): Promise<void> {
  const bridges = world.networks.flatMap((network) => [
    `link add ${network.name} type bridge`,
    addressLine(network.name, `${gatewayOf(network, 4)}/${lengthIn(network.ipv4)}`),
    addressLine(network.name, `${gatewayOf(network, 6)}/${lengthIn(network.ipv6)}`),
    `link set ${network.name} up`,
  ])
  await batch(['link set lo up', ...bridges], switchNamespace)
  await mustRun(['ip', 'netns', 'exec', switchNamespace, 'sysctl', '-qew', ...SWITCH_SYSCTLS])
}

/** Bridges ask no firewall: where br_netfilter is loaded, each packet would pay for it twice (ip-sysctl of the kernel, bridge-nf-call-*). */
const SWITCH_SYSCTLS = ['net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1', 'net.bridge.bridge-nf-call-iptables=0', 'net.bridge.bridge-nf-call-ip6tables=0']

const plugs = (host: WorldHost): string[] => host.interfaces.map((face, index) => `link set ${host.name}.${index} master ${face.network} up`)

function launch(world: World, prefix: string, directory: string): ChildProcessWithoutNullStreams {
  for (const host of world.hosts) writeBootFiles(world, host, machineFolder(directory, host.name))
  const [program = '', ...args] = insideSwitch(prefix)(['/bin/sh', LAUNCH, directory, ...world.hosts.map((host) => host.name)])
  return spawn(program, args, {
    stdio: 'pipe',
    detached: true,
    cwd: '/',
    env: { PATH: `/usr/local/sbin:/usr/local/bin:${LAB_PATH}`, LC_ALL: 'C.UTF-8' },
  })
}

const LAUNCH = join(import.meta.dirname, 'launch.sh')

function writeBootFiles(world: World, host: WorldHost, folder: string): void {
  writeFileSync(join(folder, 'network'), networkLines(world, host).join('\n'))
  if (host.services.some((service) => service.daemon === 'openssh')) writeFileSync(join(folder, 'sshd'), '')
}

/** The pid of each host's first process, by name, when the last host has said that it has its addresses. */
async function hearAll(launcher: ChildProcessWithoutNullStreams, world: World, directory: string): Promise<Map<string, number>> {
  const names = world.hosts.map((host) => host.name)
  const initPids = new Map<string, number>()
  let failed: string | undefined
  const late = setTimeout(() => killGroup(launcher, 'SIGKILL'), BOOT_MS_MAX)
  for await (const line of createInterface(launcher.stdout)) {
    const [name = '', word, pid] = line.split(' ')
    if (word === 'up') initPids.set(name, Number(pid))
    else failed = name
    if (failed !== undefined || initPids.size === names.length) break
  }
  clearTimeout(late)
  failed ??= names.find((name) => !initPids.has(name))
  if (failed !== undefined) throw new Error(`${failed} did not start: ${complaintOf(directory, failed)}`)
  return initPids
}

function goOn(launcher: ChildProcessWithoutNullStreams, initPids: ReadonlyMap<string, number>, directory: string): void {
  for (const [host, initPid] of initPids) writeFileSync(join(machineFolder(directory, host), 'init.pid'), String(initPid))
  writeFileSync(join(directory, 'standing'), '')
  launcher.stdin.end()
  // Running hosts are no reason for this process to go on.
  for (const handle of [launcher, launcher.stdout, launcher.stderr] as unknown as { unref(): void }[]) handle.unref()
}

/** Hosts without a name yet are all in the launcher's process group, and found by nothing else. */
async function abandon(launcher: ChildProcessWithoutNullStreams): Promise<void> {
  const closed = once(launcher, 'close')
  killGroup(launcher, 'SIGKILL')
  launcher.stdout.resume()
  launcher.stderr.resume()
  await closed
}

function complaintOf(directory: string, host: string): string {
  const log = join(machineFolder(directory, host), 'log/boot')
  return (existsSync(log) && readFileSync(log, 'utf8').trim()) || `no answer within ${BOOT_MS_MAX} ms`
}

/** A hundred hosts that boot at once on a busy machine take seconds; one that takes longer than this is stuck. */
const BOOT_MS_MAX = 60_000

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
  const gateway = (family: 4 | 6) => (first === undefined ? [] : [`route add default via ${gatewayOf(networkNamed(world, first.network), family)} dev eth0`])
  // The switch's end of the cable is not up yet, and IPv6 may find its own network only when it is.
  const gateways = [...gateway(4), ...gateway(6).map((line) => `${line} onlink`)]
  const cables = host.interfaces.map((_, index) => `link add eth${index} type veth peer name ${host.name}.${index} netns /proc/self/fd/9`)
  return ['link set lo up', ...cables, ...host.interfaces.flatMap(addresses), ...gateways, '']
}
