import type { Text } from '../fault/fault.ts'
import { containsPrefix, parsePrefix, type Prefix } from '../net/prefix.ts'

/** Why no packet from outside can carry a source inside this prefix; nothing if one can. */
export function neverASource(prefix: Prefix): Text | undefined {
  return NEVER.find(([blocks]) => blocks.some((block) => containsPrefix(block, prefix)))?.[1]
}

const blocks = (...written: readonly string[]): readonly Prefix[] =>
  written.flatMap((text) => {
    const prefix = parsePrefix(text)
    return prefix.ok ? [prefix.value] : []
  })

// Linux drops such sources as martians before any rule sees them (ip_route_input_slow in net/ipv4/route.c, ip6_rcv_core in
// net/ipv6/ip6_input.c); RFC 1122 section 3.2.1.3 and RFC 4291 sections 2.5.2, 2.5.3 and 2.7 forbid them on the wire.
const NEVER: readonly (readonly [readonly Prefix[], Text])[] = [
  [blocks('127.0.0.0/8', '::1'), { en: 'loopback addresses never come from outside, and a host always reaches itself', zh: '回环地址不会来自外部，且主机始终可以访问自身' }],
  [blocks('224.0.0.0/4', 'ff00::/8'), { en: 'a multicast address is never a source', zh: '组播地址不会是来源地址' }],
  [blocks('255.255.255.255'), { en: 'the broadcast address is never a source', zh: '广播地址不会是来源地址' }],
  [blocks('0.0.0.0', '::'), { en: 'the unspecified address is no source; for everyone write "any"', zh: '未指定地址不是来源；若指所有来源请写 any' }],
]
