import type { Place } from '@portcullis/core/fault/fault.ts'
import type { FlowObservation } from '@portcullis/core/inventory/observation.ts'
import { addressField, countField, instantField, portField, protocolField, type Fields } from '../import/fieldReader.ts'
import type { TransportProtocol } from '@portcullis/core/net/protocol.ts'
import type { ImportFormat, ImportReader, ReaderSettings } from '../import/format.ts'
import type { FlowRecord } from '../import/flowFold.ts'
import { readJsonLines } from '../import/jsonLines.ts'

/** What ulogd2's JSON output writes: packets of NFLOG, and flows of connection tracking (NFCT). */
export const ULOGD: ImportFormat = {
  name: 'ulogd',
  isHead: (head) => /^\s*\{/.test(head) && /"(?:oob\.prefix|oob\.in|orig\.ip\.protocol|ct\.event)"\s*:/.test(head),
  open: openUlogd,
}

function openUlogd(settings: ReaderSettings): ImportReader {
  const begun = new BegunFlows(settings)
  const lines = readJsonLines(settings.file, settings.claims, (fields, place) =>
    fields['orig.ip.protocol'] === undefined ? readPacket(settings, fields, place) : readFlow(settings, begun, fields, place),
  )
  return {
    write: (chunk) => lines.write(chunk),
    end: () => {
      lines.end()
      begun.claimAll()
    },
  }
}

/** A logged packet. Of TCP only the first of a connection says that somebody wanted in. */
function readPacket({ claims, verdict: told }: ReaderSettings, fields: Fields, place: Place): void {
  const protocol = protocolField(fields, 'ip.protocol', place)
  if (protocol === undefined) return claims.skip('protocol without ports', place)
  if (protocol === 'tcp' && (!isSet(fields['tcp.syn']) || isSet(fields['tcp.ack']))) return claims.skip('not the first packet', place)
  const verdict = told ?? verdictOf(fields['oob.prefix'])
  if (verdict === undefined) return claims.skip('verdict unknown', place)
  const at = instantField(fields, fields['oob.time.sec'] === undefined ? 'timestamp' : 'oob.time.sec', place)
  const ends = addressesOf(fields, place, 'src_port', 'dest_port')
  claims.flow({ protocol, ...ends, connections: 1, first: at, last: at, verdict, direction: 'forward' }, place)
}

const isSet = (value: unknown): boolean => value === 1 || value === true || value === '1'

/** Nothing in a log line says what the rule did after it, except the words that people put before it. */
function verdictOf(prefix: unknown): FlowObservation['verdict'] | undefined {
  if (typeof prefix !== 'string') return undefined
  if (/\b(?:drop|den(?:y|ied)|reject|block|discard|拒绝|丢弃)/iu.test(prefix)) return 'denied'
  return /\b(?:accept|allow|pass|permit|放行|允许)/iu.test(prefix) ? 'accepted' : undefined
}

/** IPCT_NEW, IPCT_RELATED, IPCT_DESTROY as bits of ulogd's `ct.event`. */
const [NEW, DESTROY] = [1, 4]

/** Connection tracking names each flow twice where both events are logged: it counts once, and its end tells more. */
function readFlow({ claims }: ReaderSettings, begun: BegunFlows, fields: Fields, place: Place): void {
  const protocol = protocolField(fields, 'orig.ip.protocol', place)
  if (protocol === undefined) return claims.skip('protocol without ports', place)
  const event = countField(fields, 'ct.event', place) ?? DESTROY
  if (event !== NEW && event !== DESTROY) return claims.skip('not the first packet', place)
  const id = countField(fields, 'ct.id', place)
  const record = flowOf(fields, protocol, place)
  if (event === NEW && id !== undefined) return begun.begin(id, { record, place })
  if (id !== undefined) begun.end(id)
  if (isRefused(fields, protocol, place)) claims.skip('no answer', place)
  else claims.flow(record, place)
}

function flowOf(fields: Fields, protocol: TransportProtocol, place: Place): FlowRecord {
  const last = instantField(fields, 'timestamp', place)
  const first = fields['flow.start.sec'] === undefined ? last : instantField(fields, 'flow.start.sec', place)
  const bytes = (countField(fields, 'orig.raw.pktlen', place) ?? 0) + (countField(fields, 'reply.raw.pktlen', place) ?? 0)
  const answers = countField(fields, 'reply.raw.pktcount', place) ?? 0
  return {
    protocol,
    ...addressesOf(fields, place, 'orig.l4.sport', 'orig.l4.dport'),
    connections: 1,
    ...(bytes === 0 ? {} : { bytes }),
    first: Math.min(first, last),
    last,
    verdict: 'accepted',
    ...(answers >= answersMin(protocol) ? { isAnswered: true } : {}),
    direction: 'forward',
  }
}

/** One packet back may be the RST of a closed port. */
const answersMin = (protocol: TransportProtocol): number => (protocol === 'tcp' ? 2 : 1)

/** Packets are counted only where net.netfilter.nf_conntrack_acct is on; without counts nothing is known. */
const isRefused = (fields: Fields, protocol: TransportProtocol, place: Place): boolean =>
  protocol === 'tcp' && (countField(fields, 'orig.raw.pktcount', place) ?? 0) > 0 && (countField(fields, 'reply.raw.pktcount', place) ?? 0) < answersMin('tcp')

const addressesOf = (fields: Fields, place: Place, sourcePort: string, destinationPort: string): Pick<FlowRecord, 'source' | 'sourcePort' | 'destination' | 'destinationPort'> => ({
  source: addressField(fields, 'src_ip', place),
  sourcePort: portField(fields, sourcePort, place),
  destination: addressField(fields, 'dest_ip', place),
  destinationPort: portField(fields, destinationPort, place),
})

interface BegunFlow {
  readonly record: FlowRecord
  readonly place: Place
}

const BEGUN_MAX = 50_000

/** Flows whose begin was read and whose end was not. Those that have no end in the log, and the oldest of too many, count as they began. */
class BegunFlows {
  readonly #claims: ReaderSettings['claims']
  readonly #byId = new Map<number, BegunFlow>()

  constructor({ claims }: ReaderSettings) {
    this.#claims = claims
  }

  begin(id: number, flow: BegunFlow): void {
    const [oldest] = this.#byId
    if (this.#byId.size >= BEGUN_MAX && oldest) {
      this.#byId.delete(oldest[0])
      this.#claim(oldest[1])
    }
    this.#byId.set(id, flow)
  }

  end(id: number): void {
    this.#byId.delete(id)
  }

  claimAll(): void {
    for (const flow of this.#byId.values()) this.#claim(flow)
    this.#byId.clear()
  }

  #claim({ record, place }: BegunFlow): void {
    this.#claims.flow(record, place)
  }
}
