/** Where in the packet's way a chain stands, as far as fields read differently there. */
export interface Stage {
  /** Prerouting or output before −200: no packet has a connection tracking entry yet. */
  readonly isBeforeTracking: boolean
  readonly hasNoIif: boolean
  readonly hasNoOif: boolean
  /** Destination NAT has changed the address, the port: what they were before is apart from what the packet carries. */
  readonly isAddressNew: boolean
  readonly isPortNew: boolean
  /** Source NAT has changed the source, to what the model does not say. */
  readonly isSourceNew: boolean
  /** Forwarding takes one off the TTL before the forward hook (ip_forward.c, ip6_output.c). */
  readonly isForwarded: boolean
  /** The interface on which link-local addresses are looked up: that of the packet's device here (nft_fib_ipv6.c, nft_fib6_flowi_init). */
  readonly linkSide: 'iif' | 'oif' | undefined
  /** What routing must have found for the packet to be here; absent before routing. */
  readonly destination?: 'local' | 'unicast'
}
