import type { FirewallSpec } from '@portcullis/lab/daemons/spec.ts'
import type { LabHost } from '@portcullis/lab/host.ts'
import { rulesetFor, type Endpoint } from '../peers/endpoint.ts'
import { reloadFirewalld, writeFirewalldZone } from '../peers/firewalld.ts'
import { iptablesLinear } from '../peers/linear.ts'
import { anew, transactionsOf } from '../peers/replacement.ts'
import { reloadUfw, writeUfwRules } from '../peers/ufw.ts'
import { openManagedHost } from '../swap/managedHost.ts'

/** A way to replace the rules of a host. */
export interface Way {
  readonly name: string
  readonly system?: FirewallSpec['kind']
  /** Replacements of a full run: the slow ones need fewer to see as many packets. */
  readonly replacements: number
  /** Answers what brings given endpoints into force, for the first time and over what is there. */
  open(host: LabHost): Promise<(endpoints: readonly Endpoint[], generation: number) => Promise<unknown>>
}

const MANY = 100

const nft = (text: (endpoints: readonly Endpoint[], generation: number) => string): Way['open'] => (host) =>
  Promise.resolve((endpoints, generation) => host.must(['nft', '-f', '-'], { input: text(endpoints, generation) }))

const iptables = (kind: 'nft' | 'legacy'): Way['open'] => (host) =>
  Promise.resolve((endpoints) => host.must([`iptables-${kind}-restore`], { input: iptablesLinear(endpoints) }))

const textOf = (endpoints: readonly Endpoint[], generation: number): string => rulesetFor(endpoints, generation).text

export const WAYS: readonly Way[] = [
  {
    name: 'portcullis, its transactions alone',
    replacements: MANY,
    open(host) {
      let before: string | undefined
      return Promise.resolve(async (endpoints, generation) => {
        const text = textOf(endpoints, generation)
        for (const input of transactionsOf(text, before)) await host.must(['nft', '-f', '-'], { input })
        before = text
      })
    },
  },
  {
    name: 'portcullis-host swap',
    replacements: 20,
    async open(host) {
      const managed = await openManagedHost(host)
      return (endpoints) => managed.swap(endpoints)
    },
  },
  {
    name: 'ufw reload',
    system: 'ufw',
    replacements: 3,
    open: (host) =>
      Promise.resolve((endpoints) => {
        writeUfwRules(host, endpoints)
        return reloadUfw(host)
      }),
  },
  {
    name: 'firewall-cmd --reload',
    system: 'firewalld',
    replacements: 3,
    open: (host) =>
      Promise.resolve((endpoints) => {
        writeFirewalldZone(host, endpoints)
        return reloadFirewalld(host)
      }),
  },
  { name: 'iptables-nft-restore', replacements: MANY, open: iptables('nft') },
  { name: 'iptables-legacy-restore', replacements: MANY, open: iptables('legacy') },
]

/** How it goes wrong, which shows that the meters would see it. */
export const CONTROLS: readonly Way[] = [
  { name: 'control: no rule at the end, policy drop alone', replacements: MANY, open: nft((endpoints, generation) => relyOnPolicy(textOf(endpoints, generation))) },
  {
    name: 'control: the table deleted, then loaded',
    replacements: MANY,
    open: (host) =>
      Promise.resolve(async (endpoints, generation) => {
        await host.must(['nft', '-f', '-'], { input: anew('') })
        await host.must(['nft', '-f', '-'], { input: textOf(endpoints, generation) })
      }),
  },
]

/** Throws where the text no longer has what is to be taken out. */
function relyOnPolicy(text: string): string {
  const [last, hook] = ['\t\tjump deny\n\t\tdrop\n', 'prerouting priority -150; policy accept;']
  if (!text.includes(last) || !text.includes(hook)) throw new Error('the ruleset has another shape')
  const open = text.replace(last, '').replace(hook, 'prerouting priority -150; policy drop;')
  return anew(open)
}
