import { createHash } from 'node:crypto'
import { connect, type TLSSocket } from 'node:tls'
import type { Place } from './conversation.ts'
import { fact } from './handshake.ts'

export interface TlsAnswer {
  readonly details: Readonly<Record<string, string>>
  /** Open and encrypted; absent when the server ended the handshake with an alert. */
  readonly socket?: TLSSocket
}

/** A full handshake that trusts nobody: only what the server shows is wanted. Undefined when it does not speak TLS. */
export function tlsHandshake(place: Place, waitMs: number): Promise<TlsAnswer | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host: place.address, port: place.port, rejectUnauthorized: false, minVersion: 'TLSv1', ALPNProtocols: ['h2', 'http/1.1'] })
    const end = (answer: TlsAnswer | undefined): void => {
      clearTimeout(timer)
      if (!answer?.socket) socket.destroy()
      resolve(answer)
    }
    const timer = setTimeout(end, waitMs, undefined)
    socket.once('secureConnect', () => end({ details: describe(socket), socket }))
    socket.on('error', (error: NodeJS.ErrnoException) => end(isAlert(error) ? { details: { alert: fact(error.code ?? '') } } : undefined))
  })
}

/** Only a TLS server answers with an alert (RFC 8446 section 6), and OpenSSL names it in the error's code. */
const isAlert = (error: NodeJS.ErrnoException): boolean => /ALERT/.test(error.code ?? '')

function describe(socket: TLSSocket): Record<string, string> {
  const certificate = socket.getPeerX509Certificate()
  const details: Record<string, string> = { version: socket.getProtocol() ?? '' }
  if (socket.alpnProtocol !== false && socket.alpnProtocol !== null) details['alpn'] = socket.alpnProtocol
  if (!certificate) return details
  details['subject'] = fact(certificate.subject.replaceAll('\n', ', '))
  // Of the public key, not of the certificate: it stays the same when a certificate is renewed for the same key (RFC 7469 section 2.4).
  details['spkiSha256'] = createHash('sha256').update(certificate.publicKey.export({ type: 'spki', format: 'der' })).digest('base64')
  details['notAfter'] = fact(certificate.validTo)
  return details
}
