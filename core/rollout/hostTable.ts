import type { Instant } from '../inventory/observation.ts'
import { cutDue } from './progress.ts'
import type { HostPhase, HostProgress } from './rollout.ts'
import type { Wave } from './waves.ts'

/**
 * How far each host of a rollout is. A table never changes: one in which a host is further is another that shares all the
 * rest. Hosts are the leaves of a tree whose branches know what is below them, so that a signal costs what it changes and
 * not what the fleet is large: a host is read, replaced or found in O(log n). Names come in the order of the waves.
 */
export class HostTable {
  /** In the order of the waves. */
  readonly names: readonly string[]
  readonly #places: ReadonlyMap<string, number>
  readonly #root: Node

  private constructor(names: readonly string[], places: ReadonlyMap<string, number>, root: Node) {
    this.names = names
    this.#places = places
    this.#root = root
  }

  /** Hosts of a wave stand together, and of these the ones of an application, so that a search leaves out all of them at once. */
  static of(hosts: Readonly<Record<string, HostProgress>>, waves: readonly Wave[]): HostTable {
    const inWaves = waves.flatMap((wave) => wave.hosts)
    const names = [...new Set([...inWaves, ...Object.keys(hosts)])].filter((name) => hosts[name] !== undefined)
    const leaves = names.flatMap((name, turn) => (hosts[name] ? [leafOf(name, turn, hosts[name])] : []))
    const waved = Map.groupBy(leaves, ({ host }) => host.wave).values()
    const placed = [...waved].flatMap((wave) => [...Map.groupBy(wave, ({ host }) => host.app).values()].flat())
    return new HostTable(names, new Map(placed.map(({ name }, place) => [name, place])), grow(placed))
  }

  get(name: string): HostProgress | undefined {
    const place = this.#places.get(name)
    return place === undefined ? undefined : leafAt(this.#root, place).host
  }

  with(names: readonly string[], change: (host: HostProgress, name: string) => HostProgress): HostTable {
    let root = this.#root
    for (const name of names) {
      const place = this.#places.get(name)
      if (place !== undefined) root = replaced(root, place, change)
    }
    return new HostTable(this.names, this.#places, root)
  }

  /** Hosts that are not the same in a table that this one was made of. */
  changedFrom(before: HostTable): readonly string[] {
    return named(differences(before.#root, this.#root))
  }

  inPhase(phases: readonly HostPhase[], wave?: number): readonly string[] {
    const marks = marksOf(phases)
    return this.#where((tally) => (tally.marks & marks) !== 0, wave)
  }

  isAnyIn(phases: readonly HostPhase[], wave?: number): boolean {
    const marks = marksOf(phases)
    return isAny(this.#root, (tally) => (tally.marks & marks) !== 0, wave)
  }

  get failed(): number {
    return this.#root.failed
  }

  /** On which something new is being put. */
  get busy(): number {
    return this.#root.busy
  }

  busyApps(): Set<string> {
    return new Set(this.#leaves((tally) => tally.busy > 0).map(({ host }) => host.app))
  }

  /** Whether something was ever begun on any host. */
  get isTouched(): boolean {
    return (this.#root.marks & TOUCHED) !== 0
  }

  /** When the first of all hosts is to be tried again. */
  get dueAt(): Instant {
    return this.#root.dueAt
  }

  /** To be tried again by now. */
  due(phase: HostPhase, at: Instant): readonly string[] {
    const marks = marksOf([phase])
    return this.#where((tally) => (tally.marks & marks) !== 0 && tally.dueAt <= at)
  }

  /** When the first flows of all hosts are to be cut. */
  get cutAt(): Instant {
    return this.#root.cutAt
  }

  cutsDue(at: Instant): readonly string[] {
    return this.#where((tally) => tally.cutAt <= at)
  }

  /** Have the new rules and flows still to be cut. */
  uncut(wave?: number): readonly string[] {
    return this.#where((tally) => (tally.marks & UNCUT) !== 0, wave)
  }

  /** Of whose flows some are to be cut after a warning. */
  warned(wave: number): readonly string[] {
    return this.#where((tally) => (tally.marks & WARNED) !== 0, wave)
  }

  /** Not changed by us, but perhaps yet by a controller that lost the rollout. */
  contested(): readonly string[] {
    return this.#where((tally) => (tally.marks & CONTESTED) !== 0)
  }

  /** Whose turn it is in the wave, apart from hosts of these applications: O(log n) for each of them and for each host that is to be tried again only later. */
  firstWaiting(wave: number, except: ReadonlySet<string>, at: Instant): string | undefined {
    return firstWaiting(this.#root, { wave, except, at })?.name
  }

  #where(test: Test, wave?: number): readonly string[] {
    return named(this.#leaves(test, wave))
  }

  #leaves(test: Test, wave?: number): readonly Leaf[] {
    const found: Leaf[] = []
    collect(this.#root, test, wave, found)
    return found
  }
}

/** What is known of all hosts below a node, so that a search leaves out those that hold nothing of what it looks for. */
interface Tally {
  /** Bits that any host has. */
  readonly marks: number
  readonly failed: number
  readonly busy: number
  readonly dueAt: Instant
  readonly cutAt: Instant
  /** Of those that wait, whose turn is first. */
  readonly waitingTurn: number
}

/** What never changes about the hosts below a node. */
interface Extent {
  readonly firstWave: number
  readonly lastWave: number
  /** Absent where there are several. */
  readonly app: string | undefined
}

interface Leaf extends Tally, Extent {
  readonly kind: 'leaf'
  readonly name: string
  /** Its place in the order of the waves. */
  readonly turn: number
  readonly host: HostProgress
}

interface Branch extends Tally, Extent {
  readonly kind: 'branch'
  readonly children: readonly Node[]
  /** The bits of a leaf's place that tell the child begin here. */
  readonly shift: number
}

type Node = Leaf | Branch
/** Of a leaf it is true where the host is looked for, of a branch wherever it is of any leaf. */
type Test = (tally: Tally) => boolean

/** Sixteen children: few enough that a branch is copied quickly, many enough that there are few levels. */
const CHILD_BITS = 4
const CHILDREN_MAX = 1 << CHILD_BITS

const PHASES: readonly HostPhase[] = ['waiting', 'applying', 'settling', 'changed', 'failed', 'reverting', 'reverted', 'left']
const [TOUCHED, UNCUT, WARNED, CONTESTED] = [1 << 8, 1 << 9, 1 << 10, 1 << 11]
const marksOf = (phases: readonly HostPhase[]): number => phases.reduce((marks, phase) => marks | (1 << PHASES.indexOf(phase)), 0)

function leafOf(name: string, turn: number, host: HostProgress): Leaf {
  const { phase, wave, app, attempt, isContested, notBefore = Infinity, cut } = host
  const marks =
    marksOf([phase]) |
    (attempt > 0 ? TOUCHED : 0) |
    (phase === 'changed' && (cut?.steps.length ?? 0) > 0 ? UNCUT : 0) |
    (cut?.steps.includes('warned') ? WARNED : 0) |
    (isContested && (phase === 'waiting' || phase === 'failed') ? CONTESTED : 0)
  return {
    kind: 'leaf', name, turn, host, firstWave: wave, lastWave: wave, app, marks, failed: phase === 'failed' ? 1 : 0, busy: phase === 'applying' || phase === 'settling' ? 1 : 0,
    dueAt: notBefore, cutAt: cutDue(host) ?? Infinity, waitingTurn: phase === 'waiting' ? turn : Infinity,
  }
}

function branchOf(children: readonly Node[], shift: number, extent: Extent): Branch {
  let [marks, failed, busy, dueAt, cutAt, waitingTurn] = [0, 0, 0, Infinity, Infinity, Infinity]
  for (const child of children) {
    marks |= child.marks
    failed += child.failed
    busy += child.busy
    dueAt = Math.min(dueAt, child.dueAt)
    cutAt = Math.min(cutAt, child.cutAt)
    waitingTurn = Math.min(waitingTurn, child.waitingTurn)
  }
  const { firstWave, lastWave, app } = extent
  return { kind: 'branch', children, shift, firstWave, lastWave, app, marks, failed, busy, dueAt, cutAt, waitingTurn }
}

function extentOf(nodes: readonly Node[]): Extent {
  const [first] = nodes
  return {
    firstWave: first?.firstWave ?? 0,
    lastWave: nodes.at(-1)?.lastWave ?? 0,
    app: nodes.every(({ app }) => app === first?.app) ? first?.app : undefined,
  }
}

/** Level by level, from the leaves up. */
function grow(leaves: readonly Leaf[]): Node {
  let [nodes, shift]: [readonly Node[], number] = [leaves, 0]
  do {
    const below = nodes
    nodes = Array.from({ length: Math.max(1, Math.ceil(below.length / CHILDREN_MAX)) }, (_, index) => {
      const children = below.slice(index * CHILDREN_MAX, (index + 1) * CHILDREN_MAX)
      return branchOf(children, shift, extentOf(children))
    })
    shift += CHILD_BITS
  } while (nodes.length > 1)
  return nodes[0] as Node
}

function leafAt(root: Node, place: number): Leaf {
  let node = root
  while (node.kind === 'branch') node = node.children[childOf(node, place)] as Node
  return node
}

const childOf = ({ shift }: Branch, place: number): number => (place >>> shift) & (CHILDREN_MAX - 1)

function replaced(node: Node, place: number, change: (host: HostProgress, name: string) => HostProgress): Node {
  if (node.kind === 'leaf') return leafOf(node.name, node.turn, change(node.host, node.name))
  const at = childOf(node, place)
  return branchOf(node.children.with(at, replaced(node.children[at] as Node, place, change)), node.shift, node)
}

function differences(before: Node, after: Node): readonly Leaf[] {
  if (before === after) return []
  if (before.kind === 'leaf' || after.kind === 'leaf') return after.kind === 'leaf' ? [after] : []
  return after.children.flatMap((child, index) => differences(before.children[index] as Node, child))
}

const isWithin = ({ firstWave, lastWave }: Extent, wave: number | undefined): boolean => wave === undefined || (firstWave <= wave && wave <= lastWave)

function collect(node: Node, test: Test, wave: number | undefined, found: Leaf[]): void {
  if (!isWithin(node, wave) || !test(node)) return
  if (node.kind === 'leaf') found.push(node)
  else for (const child of node.children) collect(child, test, wave, found)
}

function isAny(node: Node, test: Test, wave: number | undefined): boolean {
  if (!isWithin(node, wave) || !test(node)) return false
  return node.kind === 'leaf' || node.children.some((child) => isAny(child, test, wave))
}

interface Turn {
  readonly wave: number
  readonly except: ReadonlySet<string>
  readonly at: Instant
}

/** What comes first is looked into first, and whatever comes later than what was found is not looked into at all. */
function firstWaiting(node: Node, turn: Turn, found?: Leaf): Leaf | undefined {
  if (node.waitingTurn >= (found?.turn ?? Infinity) || !isWithin(node, turn.wave) || (node.app !== undefined && turn.except.has(node.app))) return found
  if (node.kind === 'leaf') return (node.host.notBefore ?? 0) > turn.at ? found : node
  let first = found
  for (const child of node.children.toSorted((a, b) => a.waitingTurn - b.waitingTurn)) first = firstWaiting(child, turn, first)
  return first
}

const named = (leaves: readonly Leaf[]): readonly string[] => leaves.toSorted((a, b) => a.turn - b.turn).map(({ name }) => name)
