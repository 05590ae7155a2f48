import { readFile } from 'node:fs/promises'
import { fail, succeed, type Fault, type Result } from '@portcullis/core/fault/fault.ts'
import { z } from 'zod'

/** Where a Prometheus is, and how it knows us. Secrets stand in files, so that no argument and no log ever holds one. */
export const PROMETHEUS_ACCESS = {
  url: z.url({ protocol: /^https?$/ }).max(2048).refine((url) => !/^[a-z]+:\/\/[^/]*@/i.test(url), { error: 'a password in the address: name a file' }),
  bearerTokenFile: z.string().startsWith('/').max(4096).optional(),
  user: z.string().min(1).max(256).optional(),
  passwordFile: z.string().startsWith('/').max(4096).optional(),
}
const access = z.object(PROMETHEUS_ACCESS)
export type PrometheusAccess = z.infer<typeof access>

/** One series: its labels, and [seconds, value] as Prometheus writes them, without what is not a number. */
export interface Series {
  readonly labels: Readonly<Record<string, string>>
  readonly points: readonly (readonly [atMs: number, value: number])[]
}

/** An answer with more is not read to its end. Prometheus itself refuses more than 11,000 points a series. */
const ANSWER_BYTES_MAX = 16 * 1024 * 1024
export const SERIES_MAX = 10_000
const POINTS_MAX = 11_000

const point = z.tuple([z.number(), z.string().max(40)])
const labels = z.record(z.string().max(256), z.string().max(4096))
const series = z.union([z.object({ metric: labels, values: z.array(point).max(POINTS_MAX) }), z.object({ metric: labels, value: point })])
const answer = z.discriminatedUnion('status', [
  z.object({ status: z.literal('success'), data: z.object({ resultType: z.enum(['vector', 'matrix']), result: z.array(series).max(SERIES_MAX) }) }),
  z.object({ status: z.literal('error'), errorType: z.string().max(100), error: z.string() }),
])

export interface RangeQuestion {
  readonly query: string
  readonly sinceMs: number
  readonly untilMs: number
  readonly stepMs: number
}

/** Faults: PROMETHEUS_UNREACHABLE, PROMETHEUS_REFUSED, PROMETHEUS_ANSWER, PROMETHEUS_SECRET. */
export function askRange(at: PrometheusAccess, { query, sinceMs, untilMs, stepMs }: RangeQuestion, timeoutMs: number, signal?: AbortSignal): Promise<Result<Series[]>> {
  const seconds = (ms: number): string => (ms / 1000).toFixed(3)
  return ask(at, 'query_range', { query, start: seconds(sinceMs), end: seconds(untilMs), step: seconds(stepMs) }, timeoutMs, signal)
}

/** The same of one moment. */
export function askInstant(at: PrometheusAccess, query: string, atMs: number, timeoutMs: number, signal?: AbortSignal): Promise<Result<Series[]>> {
  return ask(at, 'query', { query, time: (atMs / 1000).toFixed(3) }, timeoutMs, signal)
}

async function ask(at: PrometheusAccess, path: string, form: Record<string, string>, timeoutMs: number, signal?: AbortSignal): Promise<Result<Series[]>> {
  const authorization = await authorizationOf(at)
  if (!authorization.ok) return authorization
  const url = `${at.url.replace(/\/+$/, '')}/api/v1/${path}`
  const body = new URLSearchParams({ ...form, timeout: `${Math.ceil(timeoutMs / 1000)}s` })
  const deadline = AbortSignal.timeout(timeoutMs)
  try {
    // A redirect would carry the secret to somebody else.
    const response = await fetch(url, { method: 'POST', body, headers: authorization.value, redirect: 'error', signal: signal ? AbortSignal.any([deadline, signal]) : deadline })
    const text = await readLimited(response)
    return text === undefined ? fail(strange(`more than ${ANSWER_BYTES_MAX} bytes`)) : readAnswer(text, response.status)
  } catch (error) {
    const cause = error as { name?: string; cause?: { code?: string }; message?: string }
    return fail(unreachable(cause.name === 'TimeoutError' ? `no answer within ${timeoutMs} ms` : (cause.cause?.code ?? cause.message ?? String(error))))
  }
}

async function authorizationOf({ bearerTokenFile, user, passwordFile }: PrometheusAccess): Promise<Result<Record<string, string>>> {
  const file = bearerTokenFile ?? passwordFile
  if (file === undefined) return succeed({})
  try {
    const secret = (await readFile(file, 'utf8')).trim()
    if (/[^\u0020-\u007e]/.test(secret) && bearerTokenFile !== undefined) return fail(unreadableSecret(file, 'not one line of ASCII'))
    const basic = Buffer.from(`${user ?? ''}:${secret}`, 'utf8').toString('base64')
    return succeed({ authorization: bearerTokenFile === undefined ? `Basic ${basic}` : `Bearer ${secret}` })
  } catch (error) {
    return fail(unreadableSecret(file, (error as NodeJS.ErrnoException).code ?? 'unreadable'))
  }
}

async function readLimited(response: Response): Promise<string | undefined> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of response.body ?? []) {
    size += chunk.length
    if (size > ANSWER_BYTES_MAX) return undefined
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

/** Exported for its tests: what a Prometheus said, to series. */
export function readAnswer(text: string, status: number): Result<Series[]> {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    return fail(strange(`status ${status}, no JSON`))
  }
  const read = answer.safeParse(json)
  if (!read.success) return fail(strange(`status ${status}, ${read.error.issues[0]?.path.join('.')}: ${read.error.issues[0]?.message}`))
  if (read.data.status === 'error') return fail(refused(`${read.data.errorType}: ${oneLine(read.data.error)}`))
  return succeed(read.data.data.result.map((one) => ({ labels: one.metric, points: ('values' in one ? one.values : [one.value]).flatMap(numberOf) })))
}

/** NaN and infinities are no measurement: 0/0 of a rate without traffic is the usual one. */
function numberOf([seconds, text]: readonly [number, string]): (readonly [number, number])[] {
  const value = Number(text)
  return text !== '' && Number.isFinite(value) ? [[Math.round(seconds * 1000), value]] : []
}

const oneLine = (text: string): string => text.slice(0, 300).replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '?')

const unreachable = (cause: string): Fault => ({ code: 'PROMETHEUS_UNREACHABLE', what: { en: `Prometheus cannot be reached: ${cause}`, zh: `无法连接 Prometheus：${cause}` } })
const refused = (cause: string): Fault => ({ code: 'PROMETHEUS_REFUSED', what: { en: `Prometheus refuses the query: ${cause}`, zh: `Prometheus 拒绝查询：${cause}` } })
const strange = (cause: string): Fault => ({ code: 'PROMETHEUS_ANSWER', what: { en: `what answers is no Prometheus: ${cause}`, zh: `应答方不是 Prometheus：${cause}` } })
const unreadableSecret = (file: string, cause: string): Fault => ({ code: 'PROMETHEUS_SECRET', what: { en: `${file} cannot be used: ${cause}`, zh: `无法使用 ${file}：${cause}` } })
