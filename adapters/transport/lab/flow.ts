import { connect, createServer, type Socket } from 'node:net'

/**
 * One end of one TCP flow: `flow.ts serve PORT WHAT` or `flow.ts use ADDRESS PORT WHAT`. WHAT: `push` sends all the time,
 * `sink` only receives, `late` sends for a second after five silent ones and ends. Says `ready` when it listens or is connected,
 * and at its end what it saw, as one line of JSON.
 */
export interface FlowEnd {
  readonly bytes: number
  /** When the last byte came, milliseconds since 1970. */
  readonly lastAt: number
  readonly ended: 'reset' | 'closed' | 'still open'
}

const [role, ...rest] = process.argv.slice(2)
const OPEN_MS_MAX = 12_000

if (role === 'serve') {
  const [port, what] = rest
  const server = createServer((socket) => {
    server.close()
    play(socket, what ?? '')
  })
  server.listen(Number(port), '::', () => console.log('ready'))
} else {
  const [address, port, what] = rest
  const socket = connect({ host: address ?? '', port: Number(port), timeout: 3_000 }, () => console.log('ready'))
  play(socket, what ?? '')
}

function play(socket: Socket, what: string): void {
  const seen = { bytes: 0, lastAt: 0 }
  let ended: FlowEnd['ended'] = 'still open'
  socket.on('data', (chunk: Buffer) => {
    seen.bytes += chunk.length
    seen.lastAt = Date.now()
  })
  socket.on('error', () => {
    ended = 'reset'
  })
  socket.on('end', () => {
    ended = 'closed'
  })
  const finish = () => {
    console.log(JSON.stringify({ ...seen, ended }))
    process.exit(0)
  }
  socket.on('close', finish)
  setTimeout(finish, OPEN_MS_MAX)
  const sending = () => setInterval(() => socket.write(Buffer.alloc(1_000)), 2)
  if (what === 'push') sending()
  if (what === 'late') {
    setTimeout(() => {
      const timer = sending()
      setTimeout(() => {
        clearInterval(timer)
        socket.end()
      }, 1_000)
    }, 5_000)
  }
}
