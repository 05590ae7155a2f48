import type { Result } from '@portcullis/core/fault/fault.ts'
import { succeed } from '@portcullis/core/fault/fault.ts'
import type { EvidenceObservation, Holder, InnerListenerObservation, Instant, Observation, PublishedObservation } from '@portcullis/core/inventory/observation.ts'
import { isLoopback } from '@portcullis/core/inventory/loopback.ts'
import { parseAddress, type Address } from '@portcullis/core/net/address.ts'
import { containsPort, type PortRange } from '@portcullis/core/net/port.ts'
import { containerOf } from './container.ts'
import { readListenerLine, type ListenerLine } from './listenerLine.ts'
import { printable } from './printable.ts'
import { readSections, type Section, type Sections } from './section.ts'
import { unitOfCgroup } from './socketUnit.ts'

/** What the verb `holders` tells: who stands behind the sockets, by process, and what listens in the host's other network namespaces. */
export interface Holders {
  readonly processes: ReadonlyMap<number, HoldingProcess>
  readonly namespaces: readonly Namespace[]
  /** What is registered with rpcbind, by `tcp 2049`. */
  readonly programs: ReadonlyMap<string, string>
  /** Names of containers by their full id. */
  readonly containers: ReadonlyMap<string, string>
  /** Why something is missing. */
  readonly losses: readonly string[]
  /** Some processes could not be looked at: what no process seems to hold may be theirs. */
  readonly areSomeHidden: boolean
}

interface HoldingProcess {
  readonly executable?: string
  readonly digest?: string
  readonly package?: string
  readonly cgroup?: string
}

interface Namespace {
  readonly name: string
  readonly addresses: readonly Address[]
  readonly ephemeral?: PortRange
  readonly listeners: readonly ListenerLine[]
}

/** Reads the output of the verb `holders`, at most 64 MiB. Faults: FACTS_TOO_LARGE, FACTS_FRAME. */
export function readHolders(host: string, text: string): Result<Holders> {
  const framed = readSections(text, `holders of ${host}`)
  if (!framed.ok) return framed
  const sections = framed.value
  const losses = linesOf(sections, 'failed').map((line) => printable(`${line.split(' ')[0]} could not be read: ${line.split(' ').slice(2).join(' ')}`))
  const processes = new Map(linesOf(sections, 'processes').flatMap(processOf))
  const containers = new Map(linesOf(sections, 'containers').flatMap(containerEntry))
  const namespaces = readNamespaces(sections.get('namespaces'), losses)
  return succeed({ processes, containers, namespaces, programs: programsOf(sections), losses, areSomeHidden: linesOf(sections, 'namespaces').some((line) => line.startsWith('hidden ')) })
}

/** Of one socket: what its processes run, told only where all of them run the same. */
export function holderOf(holders: Holders, { holders: held, cgroup, protocol, port }: ListenerLine): Holder {
  const program = holders.programs.get(`${protocol} ${port}`)
  const processes = held.flatMap(({ pid }) => holders.processes.get(pid) ?? [])
  const of = (key: keyof HoldingProcess): string | undefined => {
    const told = new Set(processes.map((each) => each[key]))
    return told.size === 1 ? [...told][0] : undefined
  }
  const [executable, digest, owner] = [of('executable'), of('digest'), of('package')]
  const container = containerOf(cgroup ?? of('cgroup'), holders.containers)
  const untold = untoldOf(holders, held.length, processes, { digest, owner, executable, isContained: container !== undefined })
  return {
    ...(executable === undefined ? {} : { executable }),
    ...(digest === undefined ? {} : { digest }),
    ...(owner === undefined ? {} : { package: owner }),
    ...(container === undefined ? {} : { container }),
    ...(program === undefined ? {} : { program }),
    ...(untold === undefined ? {} : { untold }),
  }
}

interface Told {
  readonly executable: string | undefined
  readonly digest: string | undefined
  readonly owner: string | undefined
  readonly isContained: boolean
}

function untoldOf(holders: Holders, held: number, processes: readonly HoldingProcess[], { executable, digest, owner, isContained }: Told): string | undefined {
  if (held === 0) return holders.areSomeHidden ? 'who holds it: some processes do not let themselves be looked at' : 'who holds it: no process does, the kernel itself listens'
  if (processes.length === 0) return 'program: its process had ended'
  if (executable === undefined) return new Set(processes.map((each) => each.executable)).size > 1 ? 'program: several programs hold it' : 'program: the process does not let itself be looked at'
  if (digest === undefined) return 'digest: the program cannot be read, or is too large'
  // A container has packages of its own.
  if (owner === undefined) return isContained ? 'package: it is the container’s own' : executable.endsWith(' (deleted)') ? 'package: the program was replaced while it ran' : 'package: no package manager tells, or the program is of another file system'
  return undefined
}

/** Listeners in the other network namespaces of the host; and what is missing. */
export function innerListeners(host: string, at: Instant, holders: Holders): Observation[] {
  const claim = { host, sensor: SENSOR, at }
  const listeners = holders.namespaces.flatMap((namespace) => namespace.listeners.flatMap((line) => line.addresses.map((address) => innerListener(claim, holders, namespace, line, address))))
  const evidence = holders.losses.map((because): EvidenceObservation => ({ kind: 'evidence', ...claim, lost: 1, because }))
  return [...listeners, ...evidence, ...(holders.losses.length === 0 ? [{ kind: 'reading' as const, ...claim, covers: 'listeners' as const }] : [])]
}

const SENSOR = 'ss-namespaces'

function innerListener(claim: { host: string; sensor: string; at: Instant }, holders: Holders, namespace: Namespace, line: ListenerLine, address: Address): InnerListenerObservation {
  const names = [...new Set(line.holders.map(({ name }) => name))].toSorted().join(', ')
  const unit = unitOfCgroup(line.cgroup)
  const { program: _program, ...holder } = holderOf(holders, line)
  return {
    kind: 'inner-listener',
    ...claim,
    namespace: holder.container ?? namespace.name,
    address,
    protocol: line.protocol,
    port: line.port,
    ...(names === '' ? {} : { process: names }),
    ...(unit === undefined || holder.container !== undefined ? {} : { unit }),
    user: line.uid === 0 ? 'root' : `uid ${line.uid}`,
    ...holder,
    ...(line.interface === undefined ? {} : { interface: line.interface }),
    isLoopback: isLoopback(address),
    isEphemeral: namespace.ephemeral !== undefined && containsPort(namespace.ephemeral, line.port),
  }
}

/** Says of a published port who listens at its target, where that is in a namespace of the host. */
export function withHolder(holders: Holders, published: PublishedObservation): PublishedObservation {
  const [, addressText = '', portText] = /^\[?([0-9a-fA-F:.]+?)\]?:([0-9]+)$/.exec(published.target) ?? []
  const address = parseAddress(addressText)
  const namespace = address.ok ? holders.namespaces.find(({ addresses }) => addresses.some((own) => own.family === address.value.family && own.value === address.value.value)) : undefined
  if (!namespace) return published
  const line = namespace.listeners.find(({ protocol, port }) => protocol === published.protocol && port === Number(portText))
  const name = line ? ([...new Set(line.holders.map((held) => held.name))].toSorted().join(', ') || '?') : 'nobody'
  const place = (line && holderOf(holders, line).container) ?? namespace.name
  return { ...published, holder: `${name} in ${place}` }
}

function processOf(line: string): [number, HoldingProcess][] {
  const [pid = '', digest = '-', owner = '-', cgroup = '-', ...path] = line.split('\t')
  const executable = path.join('\t')
  if (!/^[0-9]{1,10}$/.test(pid)) return []
  return [
    [
      Number(pid),
      {
        ...(executable === '-' || executable === '' ? {} : { executable: printable(executable) }),
        ...(/^[0-9a-f]{64}$/.test(digest) ? { digest } : {}),
        ...(owner === '-' ? {} : { package: printable(owner) }),
        ...(cgroup === '-' ? {} : { cgroup: printable(cgroup, 500) }),
      },
    ],
  ]
}

function containerEntry(line: string): [string, string][] {
  const [id = '', name = '-', image = '-'] = line.split(' ')
  if (!/^[0-9a-f]{64}$/.test(id) || name === '-') return []
  return [[id, printable(image === '-' ? name : `${name} (${image})`)]]
}

const NAMESPACES_MAX = 1000
const LISTENERS_MAX = 100_000

interface OpenNamespace {
  name: string
  readonly path: string
  readonly addresses: Address[]
  ephemeral?: PortRange
  readonly listeners: ListenerLine[]
}

/** What is not understood goes to `losses`. */
function readNamespaces(section: Section | undefined, losses: string[]): Namespace[] {
  const namespaces: OpenNamespace[] = []
  let listeners = 0
  for (const line of (section?.text ?? '').split('\n')) {
    const [word = '', ...rest] = line.split(' ')
    const last = namespaces.at(-1)
    if (word === 'namespace' && namespaces.length < NAMESPACES_MAX) namespaces.push({ name: nameOf(rest), path: rest[1] ?? '', addresses: [], listeners: [] })
    else if (word === 'address' && last) last.addresses.push(...addressOf(rest[0] ?? ''))
    else if (word === 'range' && last) last.ephemeral = { first: Number(rest[0]), last: Number(rest[1]) }
    else if (word === 'listen' && last && listeners < LISTENERS_MAX) {
      const read = readListenerLine(rest.join(' '))
      listeners += 1
      if (read === undefined) losses.push(`a listener of the namespace ${last.name} is not understood`)
      else if (read !== 'other') last.listeners.push(read)
    } else if (word === 'unread' && last) losses.push(`the network namespace ${last.name} could not be entered`)
    else if (word === 'hidden') losses.push(`${Number(rest[0])} processes do not tell their network namespace`)
    else if (word === 'truncated') losses.push('more network namespaces than are read')
  }
  for (const namespace of namespaces) namespace.name = betterName(namespace)
  return namespaces.map(({ path: _path, ...namespace }) => namespace)
}

/** A namespace that ip-netns(8) named has that name; any other is called by who listens in it. */
const nameOf = ([inode = '', path = '']: readonly string[]): string => (path.startsWith('/run/netns/') ? printable(path.slice('/run/netns/'.length)) : `netns ${printable(inode)}`)

const betterName = ({ name, path, listeners }: OpenNamespace): string => {
  const names = [...new Set(listeners.flatMap((line) => line.holders.map((held) => held.name)))].toSorted()
  return path.startsWith('/run/netns/') || names.length === 0 ? name : `netns of ${names.slice(0, 3).join(', ')}`
}

function addressOf(text: string): Address[] {
  const address = parseAddress(text)
  return address.ok && !isLoopback(address.value) ? [address.value] : []
}

/** `100003  4  tcp  2049  nfs`; a program without a name is its number. */
function programsOf(sections: Sections): Map<string, string> {
  const programs = new Map<string, Set<string>>()
  for (const line of linesOf(sections, 'programs')) {
    const [, program = '', protocol = '', port = '', name] = /^\s*([0-9]+)\s+[0-9]+\s+(tcp|udp)\s+([0-9]{1,5})(?:\s+(\S+))?\s*$/.exec(line) ?? []
    if (program === '') continue
    const key = `${protocol} ${Number(port)}`
    programs.set(key, (programs.get(key) ?? new Set()).add(printable(name ?? `program ${program}`)))
  }
  return new Map([...programs].map(([key, names]) => [key, [...names].toSorted().join(', ')]))
}

const linesOf = (sections: Sections, name: string): string[] => (sections.get(name)?.text ?? '').split('\n').filter((line) => line !== '')
