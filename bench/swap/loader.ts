import type { Namespace } from '@portcullis/lab/netns.ts'
import { rulesetFor, type Endpoint } from '../peers/endpoint.ts'
import { iptablesLinear, nftLinear } from '../peers/linear.ts'

/** A way to bring a whole ruleset into the kernel, for the first time or over the one that is there. */
export interface Loader {
  readonly name: string
  /** Above this many endpoints one load takes minutes. */
  readonly endpointsMax: number
  readonly argv: readonly string[]
  text(endpoints: readonly Endpoint[], generation: number): string
  /** Puts the namespace back to where nothing was loaded yet. */
  unload(space: Namespace): Promise<unknown>
}

const NFT_ARGV = ['nft', '-f', '-']

const flush = (space: Namespace): Promise<string> => space.must(['nft', 'flush', 'ruleset'])

const iptables = (kind: 'nft' | 'legacy'): Loader => ({
  name: `iptables-${kind}-restore, a rule each`,
  endpointsMax: 10_000,
  argv: [`iptables-${kind}-restore`],
  text: iptablesLinear,
  unload: (space) => space.must([`iptables-${kind}-restore`], { input: '*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\nCOMMIT\n' }),
})

export const PORTCULLIS: Loader = {
  name: 'portcullis, nft -f',
  endpointsMax: Number.POSITIVE_INFINITY,
  argv: NFT_ARGV,
  text: (endpoints, generation) => rulesetFor(endpoints, generation).text,
  unload: flush,
}

export const LOADERS: readonly Loader[] = [
  PORTCULLIS,
  { name: 'nft -f, a rule each', endpointsMax: 10_000, argv: NFT_ARGV, text: nftLinear, unload: flush },
  iptables('nft'),
  iptables('legacy'),
]
