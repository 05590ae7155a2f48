import { fail, succeed, type Fault, type Result, type Text } from '../fault/fault.ts'
import { formatPortRange, mergePortRanges, parsePortRange } from '../net/port.ts'
import { isTransportProtocol, TRANSPORT_PROTOCOLS } from '../net/protocol.ts'
import type { Service, ServicePort } from './policy.ts'

/** Ports sorted by protocol and number, overlaps within a protocol joined. */
export function makeService(name: string, title: string, ports: readonly ServicePort[], titles?: Text): Service {
  const merged = TRANSPORT_PROTOCOLS.flatMap((protocol) => {
    const ranges = ports.filter((port) => port.protocol === protocol).map((port) => port.ports)
    return mergePortRanges(ranges).map((range): ServicePort => ({ protocol, ports: range }))
  })
  return titles ? { name, title, titles, ports: merged } : { name, title, ports: merged }
}

/** Reads `5133/tcp`, `60000-61000/udp` or `53/tcp+udp`. The protocol is never guessed. */
export function parseServicePorts(input: string): Result<ServicePort[]> {
  const [range = '', protocols, ...rest] = input.split('/')
  if (protocols === undefined || rest.length > 0) return fail(notServicePorts(input))
  const ports = parsePortRange(range)
  if (!ports.ok) return ports
  const names = protocols.split('+')
  if (!names.every(isTransportProtocol)) return fail(notServicePorts(input))
  return succeed(names.map((protocol) => ({ protocol, ports: ports.value })))
}

export const formatServicePort = (port: ServicePort): string => `${formatPortRange(port.ports)}/${port.protocol}`

const notServicePorts = (input: string): Fault => ({
  code: 'POLICY_SERVICE_PORT',
  what: { en: `"${input.slice(0, 64)}" does not say ports and protocol`, zh: `“${input.slice(0, 64)}”没有写明端口和协议` },
  next: {
    en: `write ${/^[0-9-]+$/.test(input) ? `${input}/tcp or ${input}/udp` : '5133/tcp, 60000-61000/udp or 53/tcp+udp'}`,
    zh: `应写成 ${/^[0-9-]+$/.test(input) ? `${input}/tcp 或 ${input}/udp` : '5133/tcp、60000-61000/udp 或 53/tcp+udp'}`,
  },
})
