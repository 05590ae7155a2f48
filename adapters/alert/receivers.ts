import { readFileSync } from 'node:fs'
import { fail, succeed, type Fault, type Result } from '@portcullis/core/fault/fault.ts'
import { z } from 'zod'
import { offsetOf, valueOf } from '../policyfile/located.ts'
import { breach, describeIssues } from '../policyfile/plainIssue.ts'
import { readYaml } from '../policyfile/yamlReader.ts'
import { alertmanagerForm } from './alertmanagerForm.ts'
import { codeOf, postForm, type Deliver, type HttpForm } from './delivery.ts'
import { dingtalkForm } from './dingtalkForm.ts'
import { emailDelivery } from './emailDelivery.ts'
import { feishuForm } from './feishuForm.ts'
import { webhookForm } from './webhookForm.ts'
import { wecomForm } from './wecomForm.ts'

/** `{file: /path}` or `{env: NAME}`: a secret itself never stands in the file of receivers. */
const secret = z.union([z.strictObject({ file: z.string().startsWith('/').max(4096) }), z.strictObject({ env: z.string().regex(/^[A-Z_][A-Z0-9_]*$/) })])
type SecretPlace = z.infer<typeof secret>
const shared = { name: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/), language: z.enum(['en', 'zh']).default('en'), severityMin: z.enum(['info', 'warning', 'critical']).default('info') }
const plainUrl = z.url({ protocol: /^https?$/ }).max(2048)
const mail = z.string().regex(/^[^\s<>@,;"]+@[^\s<>@,;"]+$/).max(254)

const receiver = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('webhook'), ...shared, url: z.union([plainUrl, secret]), secret: secret.optional() }),
  z.strictObject({ kind: z.literal('alertmanager'), ...shared, url: plainUrl, bearerToken: secret.optional() }),
  z.strictObject({
    kind: z.literal('email'),
    ...shared,
    host: z.string().min(1).max(253),
    port: z.int().min(1).max(65_535).default(587),
    security: z.enum(['tls', 'starttls', 'none']).default('starttls'),
    user: z.string().min(1).max(254).optional(),
    password: secret.optional(),
    from: mail,
    to: z.array(mail).min(1).max(100),
  }),
  z.strictObject({ kind: z.literal('dingtalk'), ...shared, url: secret, secret: secret.optional() }),
  z.strictObject({ kind: z.literal('wecom'), ...shared, url: secret }),
  z.strictObject({ kind: z.literal('feishu'), ...shared, url: secret, secret: secret.optional() }),
])
type ReceiverEntry = z.infer<typeof receiver>

const file = z
  .strictObject({ version: z.literal(1), receivers: z.array(receiver).min(1).max(100) })
  .refine(({ receivers }) => new Set(receivers.map(({ name }) => name)).size === receivers.length, { ...breach({ en: 'two receivers have one name', zh: '有两个接收方同名' }), path: ['receivers'] })

export type Severity = 'info' | 'warning' | 'critical'

export interface Receiver {
  readonly name: string
  readonly severityMin: Severity
  readonly deliver: Deliver
}

/**
 * Reads the file of receivers: YAML or JSON. Secrets are looked for at once, so that a missing one is told before it is needed,
 * and read again for each try, so that they can be renewed. Faults, each with its place: YAML_*, ALERTS_SHAPE, ALERTS_SECRET.
 */
export function readReceivers(text: string, name: string): Result<Receiver[]> {
  const yaml = readYaml(text, name)
  if (!yaml.ok) return yaml
  const { root, placeAt } = yaml.value
  const read = file.safeParse(valueOf(root))
  if (!read.success) return fail(...describeIssues(read.error, 'ALERTS_SHAPE', { en: 'see docs/alerts.md', zh: '参见 docs/alerts.md' }, yaml.value))
  const faults = read.data.receivers.flatMap((entry, index) =>
    Object.entries(entry).flatMap(([key, part]) => (isSecret(part) && readSecret(part) === undefined ? [{ ...missingSecret(entry.name, part), place: placeAt(offsetOf(root, ['receivers', index, key])) }] : [])),
  )
  if (faults.length > 0) return fail(...faults)
  return succeed(read.data.receivers.map((entry) => ({ name: entry.name, severityMin: entry.severityMin, deliver: deliverOf(entry) })))
}

const isSecret = (part: unknown): part is SecretPlace => secret.safeParse(part).success

function readSecret(place: SecretPlace | undefined): string | undefined {
  if (place === undefined) return undefined
  try {
    const text = 'file' in place ? readFileSync(place.file, 'utf8').trim() : process.env[place.env]
    return text === '' ? undefined : text
  } catch {
    return undefined
  }
}

const addressOf = (url: string | SecretPlace): string => (typeof url === 'string' ? url : (readSecret(url) ?? ''))

function deliverOf(entry: ReceiverEntry): Deliver {
  switch (entry.kind) {
    case 'email': {
      const { name: _, kind: _kind, language, severityMin: _min, password, user, ...server } = entry
      return (alert, now, timeoutMs) => {
        const login = user === undefined ? {} : { user, password: readSecret(password) ?? '' }
        return emailDelivery({ ...server, ...login }, language)(alert, now, timeoutMs)
      }
    }
    case 'webhook':
      return posting(() => addressOf(entry.url), (alert, now) => webhookForm(alert, readSecret(entry.secret), now), () => undefined)
    case 'alertmanager':
      return posting(() => `${entry.url.replace(/\/+$/, '')}/api/v2/alerts`, (alert, now) => withToken(alertmanagerForm(alert, entry.language, now), readSecret(entry.bearerToken)), () => undefined)
    case 'dingtalk':
      return posting(() => addressOf(entry.url), (alert, now) => dingtalkForm(alert, readSecret(entry.secret), entry.language, now), codeOf('errcode'))
    case 'wecom':
      return posting(() => addressOf(entry.url), (alert) => wecomForm(alert, entry.language), codeOf('errcode'))
    case 'feishu':
      return posting(() => addressOf(entry.url), (alert, now) => feishuForm(alert, readSecret(entry.secret), entry.language, now), codeOf('code', 'StatusCode'))
  }
}

const posting =
  (url: () => string, form: (alert: Parameters<Deliver>[0], now: number) => HttpForm, judge: (reply: unknown) => string | undefined): Deliver =>
  (alert, now, timeoutMs) =>
    postForm(url(), form(alert, now), now, timeoutMs, judge)

const withToken = (form: HttpForm, token: string | undefined): HttpForm => (token === undefined ? form : { ...form, headers: { ...form.headers, authorization: `Bearer ${token}` } })

function missingSecret(name: string, place: SecretPlace): Fault {
  const where = 'file' in place ? place.file : `$${place.env}`
  return { code: 'ALERTS_SECRET', what: { en: `receiver ${name}: there is nothing in ${where}`, zh: `接收方 ${name}：${where} 中没有内容` } }
}
