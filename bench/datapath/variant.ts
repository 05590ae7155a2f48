import type { FirewallSpec } from '@portcullis/lab/daemons/spec.ts'
import type { LabHost } from '@portcullis/lab/host.ts'
import { rulesetFor } from '../peers/endpoint.ts'
import { reloadFirewalld, writeFirewalldZone } from '../peers/firewalld.ts'
import { iptablesLinear, nftLinear } from '../peers/linear.ts'
import { anew } from '../peers/replacement.ts'
import { reloadUfw, writeUfwRules } from '../peers/ufw.ts'
import type { Form, Scene } from './scene.ts'

/** One firewall to be measured. */
export interface Variant {
  readonly name: string
  readonly form: Form
  readonly system?: FirewallSpec['kind']
  /** Whether it makes the kernel track connections. */
  readonly tracks: boolean
  /** Above this many endpoints loading alone would take minutes. */
  readonly endpointsMax: number
  load(host: LabHost, scene: Scene): Promise<unknown>
}

export const NO_FIREWALL = 'no firewall'
export const TRACKING_ALONE = 'connection tracking alone'
export const PLAIN_DROP = 'plain input drop'

const nft =
  (text: (scene: Scene) => string): Variant['load'] =>
  (host, scene) => host.must(['nft', '-f', '-'], { input: text(scene), timeoutMs: 600_000 })

const iptables =
  (kind: 'nft' | 'legacy'): Variant['load'] =>
  (host, { endpoints }) => host.must([`iptables-${kind}-restore`], { input: iptablesLinear(endpoints), timeoutMs: 600_000 })

const portcullis = (name: string, form: Form): Variant => ({
  name,
  form,
  tracks: true,
  endpointsMax: Number.POSITIVE_INFINITY,
  load: nft(({ endpoints }) => anew(rulesetFor(endpoints).text)),
})

const peer = (name: string, load: Variant['load'], rest: Partial<Variant> = {}): Variant => ({
  name,
  form: 'ports',
  tracks: true,
  endpointsMax: 10_000,
  load,
  ...rest,
})

/** The least that asks for the state of a connection. */
const TRACKING_RULES = `table inet floor {
	chain input { type filter hook input priority 0; policy accept; ct state established,related accept; }
}
`

/** The least that closes ports. */
const DROP_RULES = `table inet floor {
	chain input { type filter hook input priority 0; policy drop; ct state established,related accept; tcp dport 22 accept; drop; }
}
`

export const PORTCULLIS = portcullis('portcullis', 'ports')

export const VARIANTS: readonly Variant[] = [
  peer(NO_FIREWALL, () => Promise.resolve(), { tracks: false }),
  peer(TRACKING_ALONE, nft(() => `table inet floor\ndelete table inet floor\n${TRACKING_RULES}`)),
  PORTCULLIS,
  portcullis('portcullis, an address each', 'pairs'),
  portcullis('portcullis, networks', 'networks'),
  peer('nft, a rule each', nft(({ endpoints }) => nftLinear(endpoints))),
  peer('iptables-nft', iptables('nft')),
  peer('iptables-legacy', iptables('legacy')),
  peer('ufw', async (host, { endpoints }) => {
    writeUfwRules(host, endpoints)
    await reloadUfw(host)
  }, { system: 'ufw' }),
  peer('firewalld', async (host, { endpoints }) => {
    writeFirewalldZone(host, endpoints)
    await reloadFirewalld(host)
  }, { system: 'firewalld', endpointsMax: 1_000 }),
]

/** What a flood of SYNs to closed ports is measured against. */
export const FLOOD_VARIANTS: readonly Variant[] = [
  peer(PLAIN_DROP, nft(() => `table inet floor\ndelete table inet floor\n${DROP_RULES}`)),
]
