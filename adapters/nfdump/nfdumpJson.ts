import type { Place } from '@portcullis/core/fault/fault.ts'
import { addressField, countField, instantField, portField, protocolField, type Fields } from '../import/fieldReader.ts'
import type { ImportFormat, ImportReader, ReaderSettings } from '../import/format.ts'
import { readJsonItems } from '../import/jsonItems.ts'

/** What `nfdump -o json` writes of NetFlow and IPFIX records. Its times have no zone and are taken as UTC: run it with TZ=UTC. */
export const NFDUMP: ImportFormat = {
  name: 'nfdump',
  isDirectionOpen: true,
  isHead: (head) => /^\[\s+No matching flows/.test(head) || (/^\s*\[?\s*\{/.test(head) && /"(?:src4_addr|src6_addr)"/.test(head) && /"in_packets"/.test(head)),
  open: (settings) => openNfdump(settings),
}

const openNfdump = (settings: ReaderSettings): ImportReader => readJsonItems(settings.file, settings.claims, (fields, place) => readFlow(settings, fields, place))

function readFlow({ claims }: ReaderSettings, fields: Fields, place: Place): void {
  const protocol = protocolField(fields, 'proto', place)
  if (protocol === undefined) return claims.skip('protocol without ports', place)
  const isV6 = fields.src6_addr !== undefined
  const flags = typeof fields.tcp_flags === 'string' ? fields.tcp_flags : ''
  if (protocol === 'tcp' && flags !== '' && !isConversation(flags)) return claims.skip('no answer', place)
  const bytes = countField(fields, 'in_bytes', place)
  claims.flow(
    {
      protocol,
      source: addressField(fields, isV6 ? 'src6_addr' : 'src4_addr', place),
      sourcePort: portField(fields, 'src_port', place),
      destination: addressField(fields, isV6 ? 'dst6_addr' : 'dst4_addr', place),
      destinationPort: portField(fields, 'dst_port', place),
      connections: 1,
      ...(bytes === undefined ? {} : { bytes }),
      first: instantField(fields, fields.first === undefined ? 't_first' : 'first', place),
      last: instantField(fields, fields.last === undefined ? 't_last' : 'last', place),
      verdict: 'accepted',
    },
    place,
  )
}

/** `...AP.SF`, all flags of one direction. A SYN alone was not answered; RST without anything else is the answer of a closed port. */
const isConversation = (flags: string): boolean => flags.includes('A') && (!flags.includes('R') || /[SPF]/.test(flags))
