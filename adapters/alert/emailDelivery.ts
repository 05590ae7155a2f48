import { createHash } from 'node:crypto'
import { createTransport } from 'nodemailer'
import { delivered, undelivered, type Deliver } from './delivery.ts'
import { messageOf, type Language } from './message.ts'

export interface SmtpServer {
  readonly host: string
  readonly port: number
  /** `tls` from the first byte; `starttls` or nothing is sent; `none` for a relay on this machine. */
  readonly security: 'tls' | 'starttls' | 'none'
  readonly user?: string
  readonly password?: string
  readonly from: string
  readonly to: readonly string[]
}

/** One mail; its Message-ID is made of the alert's id, so that a mailbox that knows it shows it once. */
export const emailDelivery =
  ({ host, port, security, user, password, from, to }: SmtpServer, language: Language): Deliver =>
  async (alert, _now, timeoutMs) => {
    const auth = user === undefined ? {} : { auth: { user, pass: password ?? '' } }
    const transport = createTransport({
      host,
      port,
      secure: security === 'tls',
      requireTLS: security === 'starttls',
      ignoreTLS: security === 'none',
      connectionTimeout: timeoutMs,
      greetingTimeout: timeoutMs,
      socketTimeout: timeoutMs,
      disableFileAccess: true,
      disableUrlAccess: true,
      ...auth,
    })
    const { title, lines } = messageOf(alert, language)
    const digest = createHash('sha256').update(alert.id).digest('hex').slice(0, 32)
    try {
      await transport.sendMail({ from, to: [...to], subject: title, text: `${lines.join('\n')}\n`, date: new Date(alert.at), messageId: `<${digest}@portcullis.invalid>`, headers: { 'Auto-Submitted': 'auto-generated' } })
      return delivered
    } catch (error) {
      // The code and the server's number; the text may quote what was sent.
      const { code = 'failed', responseCode } = error as { code?: string; responseCode?: number }
      const told = responseCode === undefined ? code : `${code} ${responseCode}`
      return undelivered(told, told)
    } finally {
      transport.close()
    }
  }
