import type { Text } from '@portcullis/core/fault/fault.ts'
import type { Alert } from '@portcullis/engine/gates.ts'

/** One try to tell one receiver. Never throws; no outcome and no error ever holds a secret, which a robot's whole address is. */
export type Deliver = (alert: Alert, now: number, timeoutMs: number) => Promise<DeliveryOutcome>

export type DeliveryOutcome =
  | { readonly kind: 'delivered' }
  /** `notBefore`: the receiver said so. */
  | { readonly kind: 'failed'; readonly because: Text; readonly notBefore?: number }

export const delivered: DeliveryOutcome = { kind: 'delivered' }
export const undelivered = (en: string, zh: string, notBefore?: number): DeliveryOutcome => ({ kind: 'failed', because: { en, zh }, ...(notBefore === undefined ? {} : { notBefore }) })

/** What a receiver's form is made into: where it goes is added by whoever knows the secret address. */
export interface HttpForm {
  readonly query?: Readonly<Record<string, string>>
  readonly headers?: Readonly<Record<string, string>>
  readonly body: string
}

const REPLY_BYTES_MAX = 64 * 1024

/** Posts JSON; `judge` reads what the receiver says beside its status, because robots answer 200 to what they refuse. */
export async function postForm(url: string, form: HttpForm, now: number, timeoutMs: number, judge: (reply: unknown) => string | undefined): Promise<DeliveryOutcome> {
  try {
    const target = new URL(url)
    for (const [key, value] of Object.entries(form.query ?? {})) target.searchParams.set(key, value)
    const headers = { 'content-type': 'application/json; charset=utf-8', ...form.headers }
    const response = await fetch(target, { method: 'POST', body: form.body, headers, redirect: 'error', signal: AbortSignal.timeout(timeoutMs) })
    const reply = await readReply(response)
    if (!response.ok) return undelivered(`status ${response.status}`, `状态码 ${response.status}`, retryAfter(response.headers.get('retry-after'), now))
    const refusal = judge(reply)
    return refusal === undefined ? delivered : undelivered(`refused: ${refusal}`, `被拒绝：${refusal}`)
  } catch (error) {
    // Only codes: a message may quote the address.
    const { name, cause } = error as { name?: string; cause?: { code?: string } }
    const told = name === 'TimeoutError' ? `no answer within ${timeoutMs} ms` : (cause?.code ?? name ?? 'failed')
    return undelivered(told, told)
  }
}

async function readReply(response: Response): Promise<unknown> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of response.body ?? []) {
    size += chunk.length
    if (size > REPLY_BYTES_MAX) return undefined
    chunks.push(chunk)
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8')) as unknown
  } catch {
    return undefined
  }
}

/** Seconds, or a date (RFC 9110, 10.2.3). */
function retryAfter(header: string | null, now: number): number | undefined {
  if (header === null) return undefined
  const at = /^\d{1,6}$/.test(header) ? now + Number(header) * 1000 : Date.parse(header)
  return Number.isNaN(at) ? undefined : at
}

/** `{code: 0}` is yes; any other number, and whatever is no such object, is no. */
export const codeOf =
  (...names: readonly string[]) =>
  (reply: unknown): string | undefined => {
    const given = (typeof reply === 'object' && reply !== null ? reply : {}) as Record<string, unknown>
    const name = names.find((one) => typeof given[one] === 'number')
    if (name === undefined) return 'no code'
    return given[name] === 0 ? undefined : `${name} ${String(given[name])}`
  }
