import { createHmac, timingSafeEqual } from 'node:crypto'
import { appendFileSync, readFileSync } from 'node:fs'
import { createServer, type IncomingHttpHeaders } from 'node:http'

/** What the receiver writes down of each message, one JSON object a line, as it came: what is posted twice stands twice. */
export interface ReceivedAlert {
  readonly id: string
  readonly at: number
  readonly title: { readonly en: string; readonly zh: string }
  /** By the secret that the receiver was given, of the Standard Webhooks specification; false without one. */
  readonly isSigned: boolean
}

/**
 * Receives alerts by webhook:
 *
 *     node receiver.ts PORT FILE [ADDRESS] [SECRET-FILE]
 *
 * An empty line is the first that it writes, when it listens.
 */
const [port = '0', file = '', address = '127.0.0.1', secretFile] = process.argv.slice(2)
/** Of the base64 after `whsec_`. */
const key = secretFile === undefined ? undefined : Buffer.from(readFileSync(secretFile, 'utf8').trim().slice('whsec_'.length), 'base64')

createServer((request, response) => {
  let text = ''
  request.on('data', (chunk) => (text += String(chunk)))
  request.on('end', () => {
    const { id = text, title = { en: '', zh: '' } } = JSON.parse(text) as Partial<ReceivedAlert>
    appendFileSync(file, `${JSON.stringify({ id, at: Date.now(), title, isSigned: isSigned(request.headers, text) } satisfies ReceivedAlert)}\n`)
    response.end('{}')
  })
}).listen(Number(port), address, () => appendFileSync(file, '\n'))

function isSigned(headers: IncomingHttpHeaders, body: string): boolean {
  if (key === undefined) return false
  const wanted = createHmac('sha256', key).update(`${String(headers['webhook-id'])}.${String(headers['webhook-timestamp'])}.${body}`).digest()
  const given = Buffer.from(String(headers['webhook-signature']).replace(/^v1,/, ''), 'base64')
  const isFresh = Math.abs(Date.now() / 1000 - Number(headers['webhook-timestamp'])) < SECONDS_MAX
  return isFresh && given.length === wanted.length && timingSafeEqual(given, wanted)
}

/** As the specification has it: an older message may have been kept by somebody. */
const SECONDS_MAX = 300
