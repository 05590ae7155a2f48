import type { Place } from '@portcullis/core/fault/fault.ts'
import { addressField, countField, instantField, isFields, nameOf, portField, protocolField, type Fields } from '../import/fieldReader.ts'
import type { ImportFormat, ReaderSettings } from '../import/format.ts'
import { readJsonLines } from '../import/jsonLines.ts'

/** Suricata's eve.json: events of type `flow`, and alerts of an inline sensor that blocked. */
export const SURICATA: ImportFormat = {
  name: 'suricata',
  isHead: (head) => /^\s*\{/.test(head) && /"event_type"\s*:/.test(head) && /"timestamp"\s*:/.test(head),
  open: (settings) => readJsonLines(settings.file, settings.claims, (fields, place) => readEvent(settings, fields, place)),
}

function readEvent({ claims }: ReaderSettings, fields: Fields, place: Place): void {
  const isBlock = fields.event_type === 'alert' && isFields(fields.alert) && fields.alert.action === 'blocked' && fields.direction !== 'to_client'
  if (fields.event_type !== 'flow' && !isBlock) return claims.skip('not about flows', place)
  const protocol = protocolField(fields, 'proto', place)
  if (protocol === undefined) return claims.skip('protocol without ports', place)
  const flow = isFields(fields.flow) ? fields.flow : {}
  const answers = countField(flow, 'pkts_toclient', place) ?? 0
  // Of TCP, what nobody answered is an attempt; a datagram needs no answer to be of use.
  if (!isBlock && protocol === 'tcp' && answers === 0) return claims.skip('no answer', place)
  const last = instantField(fields, 'timestamp', place)
  const bytes = (countField(flow, 'bytes_toserver', place) ?? 0) + (countField(flow, 'bytes_toclient', place) ?? 0)
  const service = nameOf(fields.app_proto)
  claims.flow(
    {
      protocol,
      source: addressField(fields, 'src_ip', place),
      sourcePort: portField(fields, 'src_port', place),
      destination: addressField(fields, 'dest_ip', place),
      destinationPort: portField(fields, 'dest_port', place),
      connections: 1,
      ...(bytes === 0 ? {} : { bytes }),
      first: flow.start === undefined ? last : instantField(flow, 'start', place),
      last: flow.end === undefined ? last : instantField(flow, 'end', place),
      verdict: isBlock ? 'denied' : 'accepted',
      ...(answers > 0 ? { isAnswered: true } : {}),
      direction: 'forward',
      ...(service === undefined || service === 'failed' || service === 'unknown' ? {} : { service }),
    },
    place,
  )
}
