import type { Place } from '@portcullis/core/fault/fault.ts'
import { addressField, instantField, nameOf, portField, protocolField, countField, type Fields } from '../import/fieldReader.ts'
import type { ImportFormat, ImportReader, ReaderSettings } from '../import/format.ts'
import { malformed, shown } from '../import/importFault.ts'
import { takeJson, takeRecord } from '../import/jsonLines.ts'
import { TextLines } from '../import/textLines.ts'

/** Zeek's conn.log, as tab-separated text with its header or as JSON lines. */
export const ZEEK: ImportFormat = {
  name: 'zeek',
  isDirectionOpen: true,
  isHead: (head) => (head.startsWith('#separator') && /^#path\s+conn$/m.test(head)) || (/^\s*\{/.test(head) && head.includes('"id.orig_h"') && head.includes('"conn_state"')),
  open: openConn,
}

function openConn(settings: ReaderSettings): ImportReader {
  const header = new ConnHeader()
  return new TextLines(settings.file, settings.claims, (line, number) => {
    const place = { file: settings.file, line: number, column: 1 }
    if (line === '') return
    if (line.startsWith('{')) return takeJson(line, place, settings.claims, (fields) => readConnection(settings, fields, place))
    if (line.startsWith('#')) return header.read(line)
    settings.claims.record()
    const fields = header.fields(line)
    if (!fields) return settings.claims.refuse(malformed(place, `this line has not the columns that #fields names: ${shown(line)}`, `该行与 #fields 的列不一致：${shown(line)}`))
    takeRecord(settings.claims, () => readConnection(settings, fields, place))
  })
}

class ConnHeader {
  #separator = '\t'
  #unset = '-'
  #names: readonly string[] = []

  read(line: string): void {
    if (line.startsWith('#separator ')) this.#separator = unescape(line.slice('#separator '.length))
    const [key, ...values] = line.split(this.#separator)
    if (key === '#fields') this.#names = values
    else if (key === '#unset_field') this.#unset = values[0] ?? '-'
  }

  fields(line: string): Fields | undefined {
    const values = line.split(this.#separator)
    if (this.#names.length === 0 || values.length !== this.#names.length) return undefined
    return Object.fromEntries(this.#names.flatMap((name, index) => (values[index] === this.#unset ? [] : [[name, values[index]]])))
  }
}

/** Zeek writes the separator as `\x09`. */
const unescape = (text: string): string => text.replaceAll(/\\x([0-9a-f]{2})/gi, (_, hex: string) => String.fromCodePoint(Number.parseInt(hex, 16)))

/** States of TCP in which the responder has said yes (Zeek manual, conn_state). */
const CAME_THROUGH: ReadonlySet<unknown> = new Set(['S1', 'SF', 'S2', 'S3', 'RSTO', 'RSTR', 'OTH', undefined])

function readConnection({ claims }: ReaderSettings, fields: Fields, place: Place): void {
  const protocol = protocolField(fields, 'proto', place)
  if (protocol === undefined) return claims.skip('protocol without ports', place)
  const state = fields.conn_state
  if (protocol === 'tcp' && !CAME_THROUGH.has(state)) return claims.skip('no answer', place)
  const first = instantField(fields, 'ts', place)
  const answers = countField(fields, 'resp_pkts', place) ?? 0
  const [sent, received] = [countField(fields, 'orig_bytes', place), countField(fields, 'resp_bytes', place)]
  const service = nameOf(fields.service)
  claims.flow(
    {
      protocol,
      source: addressField(fields, 'id.orig_h', place),
      sourcePort: portField(fields, 'id.orig_p', place),
      destination: addressField(fields, 'id.resp_h', place),
      destinationPort: portField(fields, 'id.resp_p', place),
      connections: 1,
      ...(sent === undefined && received === undefined ? {} : { bytes: (sent ?? 0) + (received ?? 0) }),
      first,
      last: first + Math.round(durationSeconds(fields.duration) * 1000),
      verdict: 'accepted',
      ...(answers > 0 ? { isAnswered: true } : {}),
      // Of a connection that was already there when Zeek began (OTH), who began it is not known.
      ...(state === 'OTH' ? {} : { direction: 'forward' as const }),
      ...(service === undefined ? {} : { service }),
    },
    place,
  )
}

const durationSeconds = (value: unknown): number => {
  const seconds = typeof value === 'number' || (typeof value === 'string' && /^[0-9.]+$/.test(value)) ? Number(value) : 0
  return Number.isFinite(seconds) && seconds >= 0 && seconds < 10 * 365 * 86_400 ? seconds : 0
}
