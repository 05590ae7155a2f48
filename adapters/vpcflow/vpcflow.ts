import type { Place } from '@portcullis/core/fault/fault.ts'
import { addressField, BadRecord, countField, instantField, portField, protocolField, type Fields } from '../import/fieldReader.ts'
import type { ImportFormat, ImportReader, ReaderSettings } from '../import/format.ts'
import { badField, malformed, shown } from '../import/importFault.ts'
import { takeJson, takeRecord } from '../import/jsonLines.ts'
import { TextLines } from '../import/textLines.ts'

/** Flow logs of virtual networks in clouds: lines with a header or in the provider's usual order, or JSON lines. */
const cloud = (name: string, columns: string, isHead: ImportFormat['isHead']): ImportFormat => ({
  name,
  isDirectionOpen: true,
  isHead,
  open: (settings) => openFlowLog(settings, columns.split(' ')),
})

const hasAll = (head: string, ...words: readonly string[]): boolean => words.every((word) => head.includes(word))

/** Version 2, which is the default; custom formats of versions 3 to 5 have a header line in S3, or come with `--columns`. */
export const AWS_FLOW: ImportFormat = cloud(
  'vpcflow-aws',
  'version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status',
  (head) => {
    const [line = ''] = head.split('\n', 1)
    return (hasAll(line, 'srcaddr', 'dstaddr', ' ') && !line.includes('eni-id') && !line.startsWith('{') && !line.includes('region-id')) || /^(?:\S+Z )?2 \S+ eni-[0-9a-f]+ /.test(head)
  },
)

export const ALIYUN_FLOW: ImportFormat = cloud(
  'vpcflow-aliyun',
  'version vswitch-id vm-id vpc-id account-id eni-id srcaddr srcport dstaddr dstport protocol direction packets bytes start end log-status action',
  (head) => hasAll(head, 'eni-id', 'srcaddr', 'vswitch-id') || /^1 vsw-\S+ \S+ vpc-\S+ /.test(head),
)

export const TENCENT_FLOW: ImportFormat = cloud(
  'vpcflow-tencent',
  'version region-id account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status',
  (head) => hasAll(head, 'region-id', 'srcaddr', 'interface-id') && !head.includes('vswitch-id'),
)

function openFlowLog(settings: ReaderSettings, usual: readonly string[]): ImportReader {
  const { file, claims } = settings
  let columns = settings.columns ?? usual
  return new TextLines(file, claims, (line, number) => {
    const place = { file, line: number, column: 1 }
    if (line.trim() === '') return
    if (line.startsWith('{')) return takeJson(line, place, claims, (fields) => readFlow(settings, dashed(fields), place))
    const values = line.trim().split(/[ \t,]+/)
    if (number === 1 && values.includes('srcaddr')) return void (columns = values.map((name) => name.replaceAll('_', '-')))
    claims.record()
    // CloudWatch puts the time of ingestion before each line.
    if (values.length === columns.length + 1 && /^[0-9]{4}-[0-9]{2}-[0-9]{2}T/.test(values[0] ?? '')) values.shift()
    if (values.length !== columns.length) return claims.refuse(wrongColumns(place, line, columns.length, values.length))
    takeRecord(claims, () => readFlow(settings, Object.fromEntries(columns.map((name, index) => [name, values[index]])), place))
  })
}

const wrongColumns = (place: Place, line: string, wanted: number, found: number): ReturnType<typeof malformed> => ({
  ...malformed(place, `this line has ${found} columns, not ${wanted}: ${shown(line)}`, `该行有 ${found} 列，应为 ${wanted} 列：${shown(line)}`),
  next: { en: "say their order: --columns 'version srcaddr dstaddr …'", zh: "请指定列的顺序：--columns 'version srcaddr dstaddr …'" },
})

/** Some deliveries write `log_status` for `log-status`. */
const dashed = (fields: Fields): Fields => Object.fromEntries(Object.entries(fields).map(([name, value]) => [name.replaceAll('_', '-').replace(/^--/, ''), value]))

function readFlow({ claims, verdict: told }: ReaderSettings, fields: Fields, place: Place): void {
  const status = fields['log-status']
  if (status === 'NODATA') return claims.skip('no data', place)
  if (status === 'SKIPDATA') return claims.skip('log lost records', place)
  const protocol = protocolField(fields, 'protocol', place)
  if (protocol === undefined) return claims.skip('protocol without ports', place)
  const verdict = fields.action === undefined ? told : verdictOf(fields, place)
  if (verdict === undefined) return claims.skip('verdict unknown', place)
  const bytes = countField(fields, 'bytes', place)
  const flags = protocol === 'tcp' ? (countField(fields, 'tcp-flags', place) ?? 0) : 0
  if (verdict === 'accepted' && (flags === RST || (flags === SYN && countField(fields, 'packets', place) === 1))) return claims.skip('no answer', place)
  const direction = directionOf(flags)
  claims.flow(
    {
      protocol,
      source: addressField(fields, 'srcaddr', place),
      sourcePort: portField(fields, 'srcport', place),
      destination: addressField(fields, 'dstaddr', place),
      destinationPort: portField(fields, 'dstport', place),
      connections: 1,
      ...(bytes === undefined ? {} : { bytes }),
      first: instantField(fields, 'start', place),
      last: instantField(fields, 'end', place),
      verdict,
      ...(direction === undefined ? {} : { direction }),
    },
    place,
  )
}

function verdictOf(fields: Fields, place: Place): 'accepted' | 'denied' {
  if (fields.action === 'ACCEPT') return 'accepted'
  if (fields.action === 'REJECT') return 'denied'
  throw new BadRecord(badField(place, 'action', fields.action, 'ACCEPT or REJECT', ' ACCEPT 或 REJECT'))
}

/** The flags of all packets of one direction, or-ed; ACK is noted only with SYN (AWS, "Flow log records"). */
const [SYN, RST, ACK] = [2, 4, 16]

/** Who begins sends SYN, who answers SYN and ACK. Without SYN, the log does not tell. */
const directionOf = (flags: number): 'forward' | 'reply' | undefined => ((flags & SYN) === 0 ? undefined : (flags & ACK) === 0 ? 'forward' : 'reply')
