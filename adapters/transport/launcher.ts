import { fork, type ChildProcess } from 'node:child_process'
import { EventEmitter } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import { PassThrough } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { environment, type Program } from './child.ts'
import { ENDS, type FromLauncher, type ToLauncher } from './programEnds.ts'

/**
 * Starts programs from a small process of its own. fork(2) copies the page tables of whoever calls it and makes its next write to
 * each page a fault, and Node does nothing else until the program runs: a controller that holds a fleet in memory could
 * start few of them (docs/decisions/0010).
 */
export class Launcher {
  readonly #process: ChildProcess
  readonly #server: Server
  readonly #programs = new Map<number, Launched>()
  #serial = 0

  /** `path`: of a socket that is to be made, in a folder of our own. */
  static open(path: string): Promise<Launcher> {
    return new Promise((resolve, reject) => {
      const server = createServer({ allowHalfOpen: true })
      server.once('error', reject)
      server.listen(path, () => {
        server.unref()
        resolve(new Launcher(server, path))
      })
    })
  }

  private constructor(server: Server, path: string) {
    this.#server = server
    this.#process = fork(fileURLToPath(new URL('launch.ts', import.meta.url)), [path], { env: environment(), execArgv: [], stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
    // It is no reason for us to go on.
    this.#process.unref()
    this.#process.channel?.unref()
    this.#process.on('message', (told: FromLauncher) => this.#programs.get(told.id)?.hear(told))
    this.#process.on('error', () => undefined)
    this.#process.once('exit', () => {
      for (const program of this.#programs.values()) program.lose()
    })
    server.on('connection', (socket) => this.#welcome(socket))
  }

  /** Not when it has died: then programs have to be started by ourselves. */
  get isOpen(): boolean {
    return this.#process.connected
  }

  start(argv: readonly string[]): Program {
    const id = (this.#serial += 1)
    const program = new Launched((signal) => this.#tell({ kind: 'kill', id, signal }), () => this.#programs.delete(id))
    this.#programs.set(id, program)
    this.#tell({ kind: 'start', id, argv })
    return program
  }

  /** What it has started and still runs loses its input and output. */
  close(): void {
    if (this.#process.connected) this.#process.disconnect()
    this.#server.close()
    for (const program of this.#programs.values()) program.abandon()
  }

  #tell(order: ToLauncher): void {
    this.#process.send(order, (error) => {
      if (error && order.kind === 'start') this.#programs.get(order.id)?.hear({ kind: 'failed', id: order.id, because: error.message })
    })
  }

  /** Each end says first whose it is. */
  #welcome(socket: Socket): void {
    let head = Buffer.alloc(0)
    const read = (chunk: Buffer): void => {
      head = Buffer.concat([head, chunk])
      const end = head.indexOf(10)
      if (end < 0) return
      socket.off('data', read)
      socket.pause()
      if (end + 1 < head.length) socket.unshift(head.subarray(end + 1))
      const [id, what] = head.toString('latin1', 0, end).split(' ')
      const program = this.#programs.get(Number(id))
      if (!program) socket.destroy()
      else if (what === 'in') program.takeInput(socket)
      else program.takeOutput(socket, what === 'out' ? program.stdout : program.stderr)
    }
    socket.on('error', () => undefined)
    // Who dies before it has said so leaves an end that nobody closes.
    socket.once('end', () => head.includes(10) || socket.destroy())
    socket.on('data', read)
  }
}

/** A program that somebody else has started, as `child_process` tells of its own. */
class Launched extends EventEmitter implements Program {
  readonly stdin = new PassThrough()
  readonly stdout = new PassThrough()
  readonly stderr = new PassThrough()
  readonly #kill: (signal: NodeJS.Signals) => void
  readonly #forget: () => void
  readonly #sockets: Socket[] = []
  #exit: { readonly code: number | null } | undefined
  /** Those that say something. */
  #openStreams = 2

  constructor(kill: (signal: NodeJS.Signals) => void, forget: () => void) {
    super()
    this.#kill = kill
    this.#forget = forget
    for (const stream of [this.stdout, this.stderr]) stream.once('end', () => this.#closed(1))
  }

  takeInput(socket: Socket): void {
    this.#sockets.push(socket)
    this.stdin.pipe(socket)
    // One that ended early takes nothing any more; that it ended is told by `close`.
    socket.once('close', () => this.stdin.unpipe(socket).resume())
  }

  takeOutput(socket: Socket, stream: PassThrough): void {
    this.#sockets.push(socket)
    socket.pipe(stream)
    socket.once('close', () => stream.end())
  }

  kill(signal: NodeJS.Signals): boolean {
    this.#kill(signal)
    return true
  }

  hear(told: FromLauncher): void {
    if (told.kind === 'failed') {
      this.#end()
      this.#forget()
      this.emit('error', new Error(told.because))
    } else {
      this.#exit = { code: told.code }
      this.#closed(0)
    }
  }

  /** Nobody will tell any more how it ended. */
  lose(): void {
    this.#exit ??= { code: null }
    if (this.#sockets.length < ENDS.length) this.#end()
    this.#closed(0)
  }

  abandon(): void {
    this.#exit ??= { code: null }
    this.#end()
    this.#closed(0)
  }

  #end(): void {
    for (const socket of this.#sockets) socket.destroy()
    for (const stream of [this.stdout, this.stderr]) if (!stream.writableEnded) stream.end()
    for (const stream of [this.stdout, this.stderr]) stream.resume()
  }

  #closed(count: number): void {
    this.#openStreams -= count
    if (this.#openStreams > 0 || !this.#exit) return
    for (const socket of this.#sockets) socket.destroy()
    this.#forget()
    this.emit('close', this.#exit.code)
  }
}
