import { createHmac } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import { createServer as createTcpServer, type Server as TcpServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Alert } from '@portcullis/engine/gates.ts'
import { alertmanagerForm } from './alertmanagerForm.ts'
import type { DeliveryOutcome } from './delivery.ts'
import { dingtalkForm } from './dingtalkForm.ts'
import { feishuForm } from './feishuForm.ts'
import { messageOf, plainMarkdown, withinBytes } from './message.ts'
import { pauseAfter } from './outbox.ts'
import { readReceivers } from './receivers.ts'
import { webhookForm } from './webhookForm.ts'
import { wecomForm } from './wecomForm.ts'

const NOW = 1_700_000_000_000
const ALERT: Alert = {
  id: 'r-1/tripped',
  at: NOW,
  severity: 'critical',
  title: { en: 'Rollout tripped', zh: '发布触发回退' },
  lines: [{ en: 'shop: 8/8 failed', zh: '商城：失败 8/8' }],
  rollout: 'r-1',
  hosts: ['web-1', 'web-2'],
}
const json = (form: { body: string }): unknown => JSON.parse(form.body)

describe('words', () => {
  test('English', () => {
    expect(messageOf(ALERT, 'en')).toEqual({ title: '[Critical] Rollout tripped', lines: ['shop: 8/8 failed', 'Hosts: web-1, web-2', 'Rollout: r-1', 'Time: 2023-11-14T22:13:20.000Z', 'Id: r-1/tripped'] })
  })
  test('中文', () => {
    expect(messageOf(ALERT, 'zh')).toEqual({ title: '[严重] 发布触发回退', lines: ['商城：失败 8/8', '主机：web-1、web-2', '发布：r-1', '时间：2023-11-14T22:13:20.000Z', '编号：r-1/tripped'] })
  })
  test('many hosts are counted', () => {
    const hosts = Array.from({ length: 25 }, (_, index) => `h${index}`)
    expect(messageOf({ ...ALERT, hosts }, 'en').lines[1]).toMatch(/, h19 and 5 more$/)
    expect(messageOf({ ...ALERT, hosts }, 'zh').lines[1]).toMatch(/、h19 等 25 台$/)
  })
  test('a host cannot write lines, change direction, link or mention', () => {
    const hostile = 'a\r\nBcc: x\u202eevil [x](http://e) @all <at id=all></at>'
    const { title, lines } = messageOf({ ...ALERT, title: { en: hostile, zh: hostile }, lines: [{ en: hostile, zh: hostile }] }, 'en')
    expect(`${title}${lines.join('')}`).not.toMatch(/[\r\n\u202e]/)
    expect(plainMarkdown(title)).not.toMatch(/[[\]()@<>]/)
  })
  test('what is cut fits, and is whole', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 80 }), fc.integer({ min: 8, max: 100 }), (text, most) => {
        const cut = withinBytes(text, most)
        expect(Buffer.byteLength(cut)).toBeLessThanOrEqual(most)
        expect(cut.isWellFormed()).toBe(true)
        if (Buffer.byteLength(text) <= most) expect(cut).toBe(text)
      }),
    )
  })
})

describe('forms', () => {
  test('钉钉: the signature is what openssl makes of the documented text', () => {
    expect(dingtalkForm(ALERT, 'SECfixture', 'zh', NOW)).toMatchObject({ query: { timestamp: '1700000000000', sign: 'PXeQMdsQv69fjTRmtaZZNpMkkfB+sQie7Dr6UeMZnWE=' } })
    expect(json(dingtalkForm(ALERT, undefined, 'zh', NOW))).toMatchObject({ msgtype: 'markdown', markdown: { title: '[严重] 发布触发回退', text: expect.stringContaining('- 商城：失败 8/8') } })
  })
  test('飞书: the signature is what openssl makes of the documented text', () => {
    expect(json(feishuForm(ALERT, 'feishufixture', 'zh', NOW))).toMatchObject({
      timestamp: '1700000000',
      sign: 'vQfohnk4Vg74x+udPV39Pb9s8TOuPj5LMSgqlYo916w=',
      msg_type: 'post',
      content: { post: { zh_cn: { title: '[严重] 发布触发回退', content: expect.arrayContaining([[{ tag: 'text', text: '商城：失败 8/8' }]]) } } },
    })
    expect(json(feishuForm(ALERT, undefined, 'en', NOW))).toMatchObject({ content: { post: { en_us: { title: '[Critical] Rollout tripped' } } } })
  })
  test('企业微信', () => {
    expect(json(wecomForm(ALERT, 'zh'))).toMatchObject({ msgtype: 'markdown', markdown: { content: expect.stringMatching(/^\*\*<font color="warning">［严重］ 发布触发回退<\/font>\*\*\n> 商城：失败 8\/8\n/) } })
  })
  test('Alertmanager', () => {
    const [told] = json(alertmanagerForm(ALERT, 'en', NOW)) as [Record<string, unknown>]
    expect(told).toMatchObject({
      labels: { alertname: 'PortcullisAlert', severity: 'critical', alert_id: 'r-1/tripped', rollout: 'r-1' },
      startsAt: '2023-11-14T22:13:20.000Z',
      endsAt: '2023-11-14T23:13:20.000Z',
    })
  })
  test('webhook: signed as the Standard Webhooks say, and the id cannot shift the boundary', () => {
    const key = Buffer.from('k'.repeat(24))
    const { headers = {}, body } = webhookForm({ ...ALERT, id: 'a.b/检' }, `whsec_${key.toString('base64')}`, NOW)
    expect(headers['webhook-id']).toBe('a%2Eb%2F%E6%A3%80')
    expect(headers['webhook-signature']).toBe(`v1,${createHmac('sha256', key).update(`a%2Eb%2F%E6%A3%80.1700000000.${body}`).digest('base64')}`)
    expect(webhookForm(ALERT, undefined, NOW).headers).not.toHaveProperty('webhook-signature')
  })
  const large: Alert = { ...ALERT, lines: Array.from({ length: 400 }, (_, index) => ({ en: `${index} ${'x'.repeat(200)}`, zh: `${index} ${'端口'.repeat(100)}` })) }
  test.each([
    ['钉钉', 20_000, (language: 'en' | 'zh') => dingtalkForm(large, 's', language, NOW).body],
    ['飞书', 20_480, (language: 'en' | 'zh') => feishuForm(large, 's', language, NOW).body],
    ['企业微信', 4096, (language: 'en' | 'zh') => (JSON.parse(wecomForm(large, language).body) as { markdown: { content: string } }).markdown.content],
  ])('%s refuses more than %d bytes', (_, most, form) => {
    for (const language of ['en', 'zh'] as const) expect(Buffer.byteLength(form(language))).toBeLessThanOrEqual(most)
  })
})

test.each([[1, 5_000], [2, 10_000], [5, 80_000], [11, 3_600_000], [1_000_000, 3_600_000]])('after try %d the next waits %d ms', (attempt, pause) => {
  expect(pauseAfter(attempt)).toBe(pause)
})

describe('over the wire', () => {
  const folder = mkdtempSync(join(tmpdir(), 'portcullis-alert-'))
  const heard: { url: string; headers: IncomingHttpHeaders; body: string }[] = []
  let reply: { status: number; headers?: Record<string, string>; body: string } = { status: 200, body: '{}' }
  let server: Server
  let url = ''
  const secretFile = (name: string, text: string): { file: string } => {
    writeFileSync(join(folder, name), text)
    return { file: join(folder, name) }
  }
  beforeAll(async () => {
    server = createServer((request, response) => {
      let body = ''
      request.setEncoding('utf8').on('data', (chunk: string) => {
        body += chunk
      })
      request.on('end', () => {
        heard.push({ url: request.url ?? '', headers: request.headers, body })
        response.writeHead(reply.status, reply.headers).end(reply.body)
      })
    })
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve)
    })
    url = `http://127.0.0.1:${(server.address() as { port: number }).port}/hook?key=SECRETKEY`
  })
  beforeEach(() => {
    heard.length = 0
  })
  afterAll(() => {
    server.close()
    rmSync(folder, { recursive: true })
  })

  async function deliver(entry: Record<string, unknown>): Promise<DeliveryOutcome> {
    const read = readReceivers(JSON.stringify({ version: 1, receivers: [{ name: 'r', ...entry }] }), 'alerts.yaml')
    if (!read.ok) throw new Error(JSON.stringify(read.faults))
    return (await read.value[0]?.deliver(ALERT, NOW, 2000)) as DeliveryOutcome
  }
  const robots = ['dingtalk', 'wecom', 'feishu', 'webhook'] as const
  const cases: readonly [what: string, kind: (typeof robots)[number], status: number, body: string, outcome: RegExp][] = [
    ['yes', 'dingtalk', 200, '{"errcode":0,"errmsg":"ok"}', /^delivered/],
    ['wrong signature', 'dingtalk', 200, '{"errcode":310000,"errmsg":"sign not match"}', /^failed refused: errcode 310000$/],
    ['yes', 'wecom', 200, '{"errcode":0}', /^delivered/],
    ['too often', 'wecom', 200, '{"errcode":45009}', /^failed refused: errcode 45009$/],
    ['yes', 'feishu', 200, '{"code":0,"msg":"success"}', /^delivered/],
    ['yes, as it said before', 'feishu', 200, '{"StatusCode":0}', /^delivered/],
    ['wrong signature', 'feishu', 200, '{"code":19021}', /^failed refused: code 19021$/],
    ['a login page', 'feishu', 200, '<html>', /^failed refused: no code$/],
    ['a number as text', 'wecom', 200, '{"errcode":"0"}', /^failed refused: no code$/],
    ['yes', 'webhook', 204, '', /^delivered/],
    ['no', 'webhook', 403, '', /^failed status 403$/],
  ]
  test.each(cases)('%s: %s', async (_, kind, status, body, expected) => {
    reply = { status, body: status === 204 ? '' : body }
    const outcome = await deliver({ kind, url: secretFile('url', url) })
    expect(outcome.kind === 'delivered' ? 'delivered' : `failed ${outcome.because.en}`).toMatch(expected)
    expect(heard).toHaveLength(1)
    expect(heard[0]?.url).toContain('key=SECRETKEY')
    expect(JSON.stringify(outcome)).not.toContain('SECRETKEY')
  })

  test('the receiver says when to come again', async () => {
    reply = { status: 429, headers: { 'retry-after': '30' }, body: '' }
    expect(await deliver({ kind: 'webhook', url: secretFile('url', url) })).toMatchObject({ kind: 'failed', notBefore: NOW + 30_000 })
  })
  test('a redirect is not followed', async () => {
    reply = { status: 307, headers: { location: '/elsewhere' }, body: '' }
    expect((await deliver({ kind: 'webhook', url: secretFile('url', url) })).kind).toBe('failed')
    expect(heard).toHaveLength(1)
  })
  test('nobody there, and no word of the address', async () => {
    const outcome = await deliver({ kind: 'dingtalk', url: secretFile('url', 'http://127.0.0.1:1/robot?access_token=SECRETKEY'), secret: secretFile('secret', 'SECRETSIGN') })
    expect(outcome).toMatchObject({ kind: 'failed', because: { en: expect.stringMatching(/ECONNREFUSED|TypeError|bad port/) } })
    expect(JSON.stringify(outcome)).not.toMatch(/SECRET/)
  })
  test('an address that is none', async () => {
    const outcome = await deliver({ kind: 'wecom', url: secretFile('url', 'SECRETKEY is no address') })
    expect(JSON.stringify(outcome)).toMatch(/failed/)
    expect(JSON.stringify(outcome)).not.toMatch(/SECRETKEY/)
  })

  describe('mail', () => {
    const mails: string[] = []
    let smtp: TcpServer
    let accept = true
    beforeAll(async () => {
      smtp = createTcpServer((socket) => {
        let [isData, text] = [false, '']
        socket.on('error', () => undefined)
        socket.write('220 sink\r\n')
        socket.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk
          for (let end = text.indexOf('\r\n'); end >= 0; end = text.indexOf('\r\n')) {
            if (isData) {
              const over = text.indexOf('\r\n.\r\n')
              if (over < 0) return
              mails.push(text.slice(0, over))
              text = text.slice(over + 5)
              isData = false
              socket.write('250 taken\r\n')
              continue
            }
            const line = text.slice(0, end)
            text = text.slice(end + 2)
            isData = line === 'DATA'
            socket.write(isData ? '354 go on\r\n' : line.startsWith('RCPT') && !accept ? '550 no such mailbox SECRETBOX\r\n' : '250 ok\r\n')
          }
        })
      })
      await new Promise<void>((resolve) => {
        smtp.listen(0, '127.0.0.1', resolve)
      })
    })
    afterAll(() => {
      smtp.close()
    })
    const entry = (): Record<string, unknown> => ({ kind: 'email', language: 'zh', host: '127.0.0.1', port: (smtp.address() as { port: number }).port, security: 'none', from: 'portcullis@example.org', to: ['ops@example.org'] })

    test('comes with a subject, a text, and an identity that stays', async () => {
      expect(await deliver(entry())).toEqual({ kind: 'delivered' })
      expect(await deliver(entry())).toEqual({ kind: 'delivered' })
      const ids = mails.map((mail) => /^Message-ID: (\S+)/im.exec(mail)?.[1])
      expect(ids[0]).toBe(ids[1])
      expect(mails[0]).toMatch(/^Subject: =\?UTF-8\?/m)
      expect(mails[0]).toMatch(/^Auto-Submitted: auto-generated/m)
      expect(Buffer.from(mails[0]?.split('\r\n\r\n')[1] ?? '', 'base64').toString('utf8') + (mails[0] ?? '')).toMatch(/商城|=E5=95=86/)
    })
    test('a refusal is told by its number', async () => {
      accept = false
      expect(await deliver(entry())).toMatchObject({ kind: 'failed', because: { en: 'EENVELOPE 550' } })
    })
    test('without TLS where it is wanted, nothing is sent', async () => {
      accept = true
      const before = mails.length
      expect((await deliver({ ...entry(), security: 'starttls' })).kind).toBe('failed')
      expect(mails).toHaveLength(before)
    })
  })

  const files: readonly [what: string, receivers: unknown[], code: string][] = [
    ['none', [], 'ALERTS_SHAPE'],
    ['a kind that is none', [{ name: 'a', kind: 'pigeon' }], 'ALERTS_SHAPE'],
    ["a robot's address in the open", [{ name: 'a', kind: 'dingtalk', url: 'https://oapi.dingtalk.com/robot/send?access_token=x' }], 'ALERTS_SHAPE'],
    ['a secret in the open', [{ name: 'a', kind: 'webhook', url: 'https://example.org', secret: 'x' }], 'ALERTS_SHAPE'],
    ['two of one name', [{ name: 'a', kind: 'webhook', url: 'https://example.org' }, { name: 'a', kind: 'webhook', url: 'https://example.org' }], 'ALERTS_SHAPE'],
    ['a secret that is not there', [{ name: 'a', kind: 'wecom', url: { env: 'PORTCULLIS_TEST_NONE' } }], 'ALERTS_SECRET'],
    ['a file that is not there', [{ name: 'a', kind: 'wecom', url: { file: '/nonexistent/url' } }], 'ALERTS_SECRET'],
    ['a line end in an address', [{ name: 'a', kind: 'email', host: 'm', from: 'a@b\r\nBcc: c@d', to: ['a@b'] }], 'ALERTS_SHAPE'],
    ['right', [{ name: 'a', kind: 'alertmanager', url: 'http://127.0.0.1:9093' }], 'ok'],
  ]
  test.each(files)('a file of receivers: %s', (_, receivers, code) => {
    const read = readReceivers(JSON.stringify({ version: 1, receivers }), 'alerts.yaml')
    expect(read.ok ? 'ok' : read.faults[0]?.code).toBe(code)
    expect(read.ok || read.faults.every(({ place }) => place?.file === 'alerts.yaml' && place.line === 1)).toBe(true)
  })
})
