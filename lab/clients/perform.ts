import { randomUUID } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { readFileSync } from 'node:fs'
import { get as httpGet, type IncomingMessage } from 'node:http'
import { get as httpsGet } from 'node:https'
import { connect, isIPv6, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { runCommand } from '../command.ts'
import { tool } from '../daemons/postgres.ts'
import type { Evidence, Use, UseKind } from './use.ts'

/** Longest time for one use; a client that waits longer has been interrupted. */
export const USE_MS_MAX = 5_000

/** Uses a service for real from this process's own network namespace. Never throws: a failure is evidence too. */
export async function perform(use: Use): Promise<Evidence> {
  const startedMs = performance.now()
  const evidence = (ok: boolean, detail: string): Evidence => ({
    kind: use.kind,
    address: use.address,
    port: use.port,
    ok,
    durationMs: performance.now() - startedMs,
    detail,
  })
  try {
    // The table's type ties each kind to its own use, which indexing by a union forgets.
    const perform = PERFORM[use.kind] as (use: Use) => Promise<string>
    return evidence(true, await perform(use))
  } catch (error) {
    return evidence(false, error instanceof Error ? error.message : String(error))
  }
}

/** Each returns what the service answered, and throws if that is not what it should be. */
const PERFORM: { readonly [Kind in UseKind]: (use: Extract<Use, { kind: Kind }>) => Promise<string> } = {
  async connect(use) {
    return converse(use, '', () => 'connected')
  },
  async https({ address, port, serverName, authorityFile }) {
    const options = { host: address, port, servername: serverName, ca: readFileSync(authorityFile), agent: false, timeout: USE_MS_MAX }
    return expectText(await body((answer) => httpsGet(options, answer)), /^portal .*/)
  },
  async http({ address, port }) {
    return expectText(await body((answer) => httpGet({ host: address, port, agent: false, timeout: USE_MS_MAX }, answer)), /.+/)
  },
  async sql({ address, port, password }) {
    const argv = [tool('psql'), '-XAtq', '-h', address, '-p', String(port), '-U', 'postgres', '-c', 'select sum(n) from generate_series(1, 100) n']
    return expectText(await command(argv, { env: { PGPASSWORD: password, PGCONNECT_TIMEOUT: '5', PGSSLMODE: 'disable' } }), /^5050$/m)
  },
  async redis(use) {
    return converse(use, 'PING\r\n', (heard) => /^\+PONG/.exec(heard)?.[0])
  },
  async dnsUdp({ address, port, name }) {
    return dnsAnswer(await exchange(address, port, dnsQuery(name)), name)
  },
  async dnsTcp(use) {
    const query = dnsQuery(use.name)
    const framed = Buffer.concat([Buffer.from([query.length >> 8, query.length & 255]), query])
    return converse(use, framed, (_text, bytes) => (bytes.length > 14 ? dnsAnswer(bytes.subarray(2), use.name) : undefined))
  },
  async ssh(use) {
    return expectText(await command(['ssh', ...sshOptions(use), '-p', String(use.port), `root@${use.address}`, 'hostname']), /.+/)
  },
  async sftp(use) {
    const to = isIPv6(use.address) ? `[${use.address}]` : use.address
    const batch = `put /etc/hostname batch-${randomUUID()}\n`
    await command(['sftp', ...sshOptions(use), '-P', String(use.port), '-b', '-', `batch@${to}`], { input: batch })
    return 'one file put'
  },
  async dicom({ address, port }) {
    return expectText(await command(['echoscu', '-v', '-to', '5', address, String(port)]), /Received Echo Response \(Success\)/)
  },
  async feed(use) {
    return converse(use, '', (heard) => (heard.split('\n').length > use.ticks ? `${use.ticks} ticks` : undefined))
  },
  async datagram({ address, port, text, reply }) {
    return expectText((await exchange(address, port, Buffer.from(text))).toString(), new RegExp(`^${reply}$`))
  },
  async syslog({ address, port, arrivesIn }) {
    const token = randomUUID()
    await send(address, port, Buffer.from(`<14>lab: ${token}\n`))
    for (const deadline = performance.now() + USE_MS_MAX; performance.now() < deadline; await sleep(5)) {
      if (readFileSync(arrivesIn, 'utf8').includes(token)) return 'the line arrived'
    }
    throw new Error('the line did not arrive')
  },
}

/** Opens a TCP connection, says something, and listens until `answer` finds what it wants. */
function converse(
  { address, port }: { address: string; port: number },
  say: string | Uint8Array,
  answer: (heard: string, bytes: Buffer) => string | undefined,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    const socket: Socket = connect({ host: address, port })
    const give = (result: string | Error) => {
      socket.destroy()
      if (typeof result === 'string') resolve(result)
      else reject(result)
    }
    socket.setTimeout(USE_MS_MAX, () => give(new Error('silent')))
    socket.on('error', give)
    socket.on('close', () => give(new Error('closed before it answered')))
    const listen = () => {
      const bytes = Buffer.concat(chunks)
      const found = answer(bytes.toString('latin1'), bytes)
      if (found !== undefined) give(found)
    }
    socket.on('connect', () => {
      if (say.length > 0) socket.write(say)
      else listen()
    })
    socket.on('data', (chunk) => {
      chunks.push(chunk)
      listen()
    })
  })
}

/** Sends a datagram and resolves with the first answer. */
function exchange(address: string, port: number, datagram: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = createSocket(isIPv6(address) ? 'udp6' : 'udp4')
    const timer = setTimeout(() => finish(() => reject(new Error('no answer'))), USE_MS_MAX)
    const finish = (then: () => void) => {
      clearTimeout(timer)
      socket.close()
      then()
    }
    socket.once('error', (error) => finish(() => reject(error)))
    socket.once('message', (message) => finish(() => resolve(message)))
    // Connected, so that an ICMP error comes back as an error instead of as silence.
    socket.connect(port, address, () => socket.send(datagram))
  })
}

async function send(address: string, port: number, datagram: Buffer): Promise<void> {
  const socket = createSocket(isIPv6(address) ? 'udp6' : 'udp4')
  try {
    await new Promise<void>((resolve, reject) => socket.send(datagram, port, address, (error) => (error ? reject(error) : resolve())))
  } finally {
    socket.close()
  }
}

function body(start: (answer: (response: IncomingMessage) => void) => NodeJS.EventEmitter & { destroy(error: Error): void }): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = start((response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => (text += chunk))
      response.on('end', () => resolve(text))
      response.on('error', reject)
    })
    request.on('timeout', () => request.destroy(new Error('silent')))
    request.on('error', reject)
  })
}

async function command(argv: readonly string[], options: { input?: string; env?: Record<string, string> } = {}): Promise<string> {
  const { exitCode, stdout, stderr } = await runCommand(argv, { ...options, timeoutMs: USE_MS_MAX })
  if (exitCode !== 0) throw new Error(`${argv[0]} ended with ${exitCode}: ${stderr.trim() || stdout.trim()}`)
  return stdout + stderr
}

function expectText(text: string, pattern: RegExp): string {
  const found = pattern.exec(text)
  if (found === null) throw new Error(`unexpected answer ${JSON.stringify(text.slice(0, 200))}`)
  return found[0].trim()
}

function sshOptions(use: { identityFile: string; knownHostsFile: string }): string[] {
  const settings = ['IdentitiesOnly=yes', 'BatchMode=yes', 'ConnectTimeout=4', 'StrictHostKeyChecking=yes', 'LogLevel=ERROR']
  const all = [...settings, `UserKnownHostsFile=${use.knownHostsFile}`]
  return ['-F', '/dev/null', '-i', use.identityFile, ...all.flatMap((setting) => ['-o', setting])]
}

/** A question for the A record, recursion desired (RFC 1035 section 4.1). */
function dnsQuery(name: string): Buffer {
  const labels = name.split('.').flatMap((label) => [Buffer.from([label.length]), Buffer.from(label)])
  return Buffer.concat([Buffer.from([0x4c, 0x41, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]), ...labels, Buffer.from([0, 0, 1, 0, 1])])
}

/** The address in the first answer, which a name compressed to a pointer makes end 4 bytes before the end. */
function dnsAnswer(reply: Buffer, name: string): string {
  const [code, answers] = [(reply[3] ?? 0) & 15, reply.readUInt16BE(6)]
  if (code !== 0 || answers === 0) throw new Error(`${name}: response code ${code}, ${answers} answers`)
  return `${name} is ${[...reply.subarray(-4)].join('.')}`
}
