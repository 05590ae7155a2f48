import type { Family } from '../net/address.ts'
import type { BaseChain, Chain, Hook, Ruleset, Table } from '../ruleset/ruleset.ts'

/** A base chain where it runs, for the packets of one family or of both. */
export interface Station {
  readonly table: Table
  readonly chain: Chain
  readonly base: BaseChain
  readonly family: Family | undefined
}

/** The base chains of a hook in their order, with NAT in its place among the others. */
export interface HookStations {
  readonly before: readonly Station[]
  readonly nat: readonly Station[]
  readonly after: readonly Station[]
}

/** Connection tracking looks at packets here (linux/netfilter_ipv4.h, NF_IP_PRI_CONNTRACK). */
export const TRACKING_PRIORITY = -200

/** nf_nat_proto.c registers one hook function for all NAT chains. In forward there is none. */
const NAT_PRIORITIES: Readonly<Record<Hook, number>> = { prerouting: -100, output: -100, input: 100, postrouting: 100, forward: Infinity }

interface Registered extends Omit<Station, 'family'> {
  /** In the order of registration. */
  readonly index: number
}

/** At equal priority the one registered last comes first, NAT when its first chain was. */
export function hookStations(ruleset: Ruleset, hook: Hook): HookStations {
  const all = registered(ruleset)
  const here = all.filter(({ base }) => base.hook === hook).toSorted((a, b) => a.base.priority - b.base.priority || b.index - a.index)
  const others = here.filter(({ base }) => base.type !== 'nat')
  const of = (isBefore: boolean): Station[] => others.flatMap((each) => familiesOf(each.table, (family) => isBeforeNat(each, natIndex(all, family), hook) === isBefore).map((family) => station(each, family)))
  return { before: of(true), nat: here.filter(({ base }) => base.type === 'nat').map((each) => station(each, soleFamily(each.table))), after: of(false) }
}

/** Families whose packets pass through NAT: one chain in any hook registers it in all. */
export const natFamilies = (ruleset: Ruleset): readonly Family[] =>
  ([4, 6] as const).filter((family) => natIndex(registered(ruleset), family) !== undefined)

function registered(ruleset: Ruleset): Registered[] {
  const chains = ruleset.tables.flatMap((table) => (table.isDormant ? [] : table.chains.flatMap((chain) => (chain.base ? [{ table, chain, base: chain.base }] : []))))
  return chains.map((each, index) => ({ ...each, index }))
}

const natIndex = (all: readonly Registered[], family: Family): number | undefined =>
  all.find(({ table, base }) => base.type === 'nat' && sees(table, family))?.index

const isBeforeNat = ({ base, index }: Registered, nat: number | undefined, hook: Hook): boolean =>
  base.priority < NAT_PRIORITIES[hook] || (base.priority === NAT_PRIORITIES[hook] && nat !== undefined && index > nat)

/** The table's families that pass a test; both as one. */
function familiesOf(table: Table, test: (family: Family) => boolean): (Family | undefined)[] {
  const found = ([4, 6] as const).filter((family) => sees(table, family) && test(family))
  return found.length === 2 ? [undefined] : found
}

const station = ({ table, chain, base }: Registered, family: Family | undefined): Station => ({ table, chain, base, family })

const soleFamily = (table: Table): Family | undefined => (table.family === 'inet' ? undefined : table.family === 'ip' ? 4 : 6)

const sees = (table: Table, family: Family): boolean => table.family === 'inet' || table.family === (family === 4 ? 'ip' : 'ip6')
