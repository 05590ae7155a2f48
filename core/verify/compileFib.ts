import type { Family } from '../net/address.ts'
import type { Field, FieldName, Value } from '../ruleset/ruleset.ts'
import { ADDRESS_TYPES } from '../ruleset/ruleset.ts'
import type { Diagram } from '../space/arena.ts'
import { BOTH, EITHER, NO, UNKNOWN, YES } from '../space/outcome.ts'
import { complementRanges, intersectRanges, mergeRanges, type Range } from '../space/ranges.ts'
import { holds, intervalsOf, IPV4, IPV6, pick, questionOf } from './fieldValues.ts'
import type { LevelField } from './levels.ts'
import type { PacketSpace } from './packetSpace.ts'
import { FIXED_TYPES, rangesWhere, typeOfRoutes, type RoutedRange, type Routing } from './routing.ts'
import type { Stage } from './stage.ts'

/** What the routing tables say of an address: fields that depend on the host's facts, and are a question of their own without them. */
interface Fib {
  readonly side: 'saddr' | 'daddr'
  readonly device: 'iif' | 'oif' | undefined
  readonly result: 'type' | 'route'
}

const FIB: Partial<Record<FieldName, Fib>> = {
  saddrType: { side: 'saddr', device: undefined, result: 'type' },
  daddrType: { side: 'daddr', device: undefined, result: 'type' },
  saddrTypeIif: { side: 'saddr', device: 'iif', result: 'type' },
  daddrTypeIif: { side: 'daddr', device: 'iif', result: 'type' },
  saddrTypeOif: { side: 'saddr', device: 'oif', result: 'type' },
  daddrTypeOif: { side: 'daddr', device: 'oif', result: 'type' },
  saddrRoute: { side: 'saddr', device: undefined, result: 'route' },
  saddrRouteIif: { side: 'saddr', device: 'iif', result: 'route' },
}

export function fibDiagram(space: PacketSpace, field: Field, values: readonly Value[], stage: Stage): Diagram {
  const fib = FIB[field.name]
  if (!fib) return UNKNOWN
  if (fib.side === 'saddr' && fib.result === 'type' && stage.isSourceNew) return space.askBoolean(`${field.name} after source NAT ${questionOf(field, values)}`, false)
  const question = new FibQuestion(space, stage, fib)
  const wanted = pick(16, (value) => holds(intervalsOf(values), BigInt(value), field.mask))
  return fib.result === 'type' ? question.type(field.name as LevelField, wanted) : question.route(field.name as LevelField, wanted)
}

class FibQuestion {
  readonly #space: PacketSpace
  readonly #stage: Stage
  readonly #fib: Fib
  /** Absent where the hook has no such interface: then the kernel asks as if none were named. */
  readonly #device: 'iif' | 'oif' | undefined

  constructor(space: PacketSpace, stage: Stage, fib: Fib) {
    this.#space = space
    this.#stage = stage
    this.#fib = fib
    this.#device = (fib.device === 'iif' && stage.hasNoIif) || (fib.device === 'oif' && stage.hasNoOif) ? undefined : fib.device
  }

  type(level: LevelField, wanted: readonly Range[]): Diagram {
    const { routing } = this.#space
    if (!routing) return this.#withoutFacts(level, wanted)
    return this.#byFamily((family) => {
      const isWanted = (range: RoutedRange, device: string | undefined): boolean => holds(wanted, BigInt(typeOfRoutes(family, range.routes, device)), undefined)
      const fixed = mergeRanges(FIXED_TYPES[family].filter((range) => holds(wanted, BigInt(range.type), undefined)))
      const free = complementRanges(mergeRanges(FIXED_TYPES[family]), this.#max(family))
      const among = (ranges: readonly RoutedRange[], device: string | undefined): Diagram =>
        this.#test(family, mergeRanges([...fixed, ...intersectRanges(free, rangesWhere(ranges, (range) => isWanted(range, device)))]))
      return this.#lookedUp(family, family === 4 ? routing.ownTable(4) : routing.everywhere(6), among)
    })
  }

  /** Without facts, what routing must have said for the packet to be where it is; before routing anything can be. */
  #withoutFacts(level: LevelField, wanted: readonly Range[]): Diagram {
    const { side } = this.#fib
    const { destination } = this.#stage
    if (side === 'saddr' || this.#device || !destination) return this.#space.test(level, wanted)
    const otherwise = holds(wanted, BigInt(ADDRESS_TYPES[destination]), undefined)
    return this.#byFamily((family) => {
      const fixed = FIXED_TYPES[family].filter((range) => holds(wanted, BigInt(range.type), undefined))
      const free = otherwise ? complementRanges(mergeRanges(FIXED_TYPES[family]), this.#max(family)) : []
      return this.#test(family, mergeRanges([...fixed, ...free]))
    })
  }

  /** Is there a way back to the source (nft_fib4_eval, nft_fib6_eval)? What comes by loopback always has one. */
  route(level: LevelField, wanted: readonly Range[]): Diagram {
    const { routing, combiner } = this.#space
    const [one, none] = [holds(wanted, 1n, undefined), holds(wanted, 0n, undefined)]
    const isHidden = this.#stage.isSourceNew
    const asked = isHidden ? this.#space.askBoolean(`${level} after source NAT`, false) : this.#space.test(level, [{ first: 1n, last: 1n }])
    const found = routing && !isHidden ? this.#byFamily((family) => this.#found(routing, family)) : asked
    const sure = combiner.combineAll(EITHER, [found, this.#isLoopback(), isHidden ? NO : this.#isBootstrap()], NO)
    if (one && none) return YES
    return one ? sure : none ? this.#space.invert(sure) : NO
  }

  #found(routing: Routing, family: Family): Diagram {
    const { combiner } = this.#space
    const among = (ranges: readonly RoutedRange[], device: string | undefined): Diagram => {
      const leads = (range: RoutedRange): 'yes' | 'no' | 'perhaps' => leadsBack(family, range, device)
      const perhaps = rangesWhere(ranges, (range) => leads(range) === 'perhaps')
      const sure = this.#test(family, rangesWhere(ranges, (range) => leads(range) === 'yes'))
      return perhaps.length === 0 ? sure : combiner.combine(EITHER, sure, combiner.combine(BOTH, this.#test(family, perhaps), UNKNOWN))
    }
    return this.#lookedUp(family, routing.everywhere(family), among)
  }

  #isLoopback(): Diagram {
    return this.#space.matchByInterface('iif', (name) => (name === 'lo' ? YES : NO))
  }

  /** A host that has no address yet, to everyone (nft_fib4_eval: zeronet to 255.255.255.255 or 224.0.0.0/24). */
  #isBootstrap(): Diagram {
    const { combiner } = this.#space
    const toAll = mergeRanges([{ first: 0xe000_0000n, last: 0xe000_00ffn }, { first: 0xffff_ffffn, last: 0xffff_ffffn }])
    const tests = [this.#space.test(...IPV4), this.#space.test('saddr4', [{ first: 0n, last: 0x00ff_ffffn }]), this.#space.test(this.#stage.isAddressNew ? 'newDaddr4' : 'daddr4', toAll)]
    return combiner.combineAll(BOTH, tests, YES)
  }

  /** Link-local addresses are looked up on one interface, the others on all. */
  #lookedUp(family: Family, ranges: readonly RoutedRange[], among: (ranges: readonly RoutedRange[], device: string | undefined) => Diagram): Diagram {
    const { combiner, routing } = this.#space
    const far = this.#byDevice(this.#device, (device) => among(ranges, device))
    if (family === 4 || !routing) return far
    const near = this.#byDevice(this.#device ?? this.#stage.linkSide, (name) => among(routing.linkLocal(routing.deviceOf(name)), this.#device ? name : undefined))
    return combiner.combine(EITHER, far, near)
  }

  #byDevice(side: 'iif' | 'oif' | undefined, of: (name: string | undefined) => Diagram): Diagram {
    return side ? this.#space.matchByInterface(side, of) : of(undefined)
  }

  #byFamily(of: (family: Family) => Diagram): Diagram {
    const { combiner } = this.#space
    const parts = ([4, 6] as const).map((family) => combiner.combine(BOTH, this.#space.test(...(family === 4 ? IPV4 : IPV6)), of(family)))
    return combiner.combineAll(EITHER, parts, NO)
  }

  #test(family: Family, merged: readonly Range[]): Diagram {
    return this.#space.test(this.#level(family), merged)
  }

  #level(family: Family): LevelField {
    if (this.#fib.side === 'saddr') return `saddr${family}`
    return this.#stage.isAddressNew ? `newDaddr${family}` : `daddr${family}`
  }

  #max(family: Family): bigint {
    return this.#space.maxOf(this.#level(family))
  }
}

/** By any of several equal routes in IPv4 (fib_info_nh_uses_dev); in IPv6 the flow's hash takes one. */
function leadsBack(family: Family, { routes }: RoutedRange, device: string | undefined): 'yes' | 'no' | 'perhaps' {
  const [first] = routes
  if (!first || !(family === 4 ? FOUND_IPV4 : FOUND_IPV6).has(first.type)) return 'no'
  if (device === undefined || routes.every((route) => route.oif === device)) return 'yes'
  if (routes.every((route) => route.oif !== device)) return 'no'
  return family === 4 ? 'yes' : 'perhaps'
}

/** Routes that are an error, and the host's own addresses, lead to nobody. */
const FOUND_IPV4: ReadonlySet<string> = new Set(['unicast', 'broadcast', 'multicast', 'anycast'])
const FOUND_IPV6: ReadonlySet<string> = new Set(['unicast', 'multicast'])
