import type { Namespace } from '@portcullis/lab/netns.ts'
import { rulesetFor, type Endpoint } from '../peers/endpoint.ts'
import { iptablesLinear, nftLinear } from '../peers/linear.ts'
import { transactionsOf } from '../peers/replacement.ts'

/** A way to bring a whole ruleset into the kernel, for the first time or over the one that is there. */
export interface Loader {
  readonly name: string
  /** Above this many endpoints one load takes minutes. */
  readonly endpointsMax: number
  readonly argv: readonly string[]
  /** What is given to it, one call after the other. */
  texts(change: Change): string[]
  /** Puts the namespace back to where nothing was loaded yet. */
  unload(space: Namespace): Promise<unknown>
}

/** Rules to be brought in, and those of the generation before where any are loaded. */
export interface Change {
  readonly endpoints: readonly Endpoint[]
  readonly generation: number
  readonly before?: readonly Endpoint[]
}

const NFT_ARGV = ['nft', '-f', '-']

const flush = (space: Namespace): Promise<string> => space.must(['nft', 'flush', 'ruleset'])

const iptables = (kind: 'nft' | 'legacy'): Loader => ({
  name: `iptables-${kind}-restore, a rule each`,
  endpointsMax: 10_000,
  argv: [`iptables-${kind}-restore`],
  texts: ({ endpoints }) => [iptablesLinear(endpoints)],
  unload: (space) => space.must([`iptables-${kind}-restore`], { input: '*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\nCOMMIT\n' }),
})

export const PORTCULLIS: Loader = {
  name: 'portcullis, nft -f',
  endpointsMax: Number.POSITIVE_INFINITY,
  argv: NFT_ARGV,
  texts({ endpoints, generation, before }) {
    const { text } = rulesetFor(endpoints, generation)
    return before === undefined ? [text] : transactionsOf(text, rulesetFor(before, generation - 1).text)
  },
  unload: flush,
}

export const LOADERS: readonly Loader[] = [
  PORTCULLIS,
  { name: 'nft -f, a rule each', endpointsMax: 10_000, argv: NFT_ARGV, texts: ({ endpoints }) => [nftLinear(endpoints)], unload: flush },
  iptables('nft'),
  iptables('legacy'),
]
