import { spawn, type ChildProcess } from 'node:child_process'
import { connect, type Socket } from 'node:net'
import { ENDS, type FromLauncher, type ToLauncher } from './programEnds.ts'

/**
 * Starts programs for a process that is larger than this one: `launch.ts SOCKET`, asked over its IPC channel. What a program reads
 * and writes goes over connections to SOCKET, which it gets as they are; nothing passes through here.
 */
const [path = ''] = process.argv.slice(2)
const children = new Map<number, ChildProcess>()

// The terminal's Ctrl-C and a manager's stop go to the whole group. Whoever asked decides when it is over.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined)
process.once('disconnect', () => process.exit())
process.on('error', () => undefined)
process.on('message', (order: ToLauncher) => {
  if (order.kind === 'kill') children.get(order.id)?.kill(order.signal)
  else void start(order)
})

async function start({ id, argv }: Extract<ToLauncher, { kind: 'start' }>): Promise<void> {
  const ends: Socket[] = []
  try {
    ends.push(...(await Promise.all(ENDS.map((what) => connected(id, what)))))
    const [program = '', ...words] = argv
    const child = spawn(program, words, { stdio: ends })
    children.set(id, child)
    child.once('error', (error) => over({ kind: 'failed', id, because: error.message }))
    child.once('exit', (code) => over({ kind: 'exited', id, code }))
  } catch (error) {
    over({ kind: 'failed', id, because: error instanceof Error ? error.message : String(error) })
  } finally {
    // The program has them now.
    for (const end of ends) end.destroy()
  }
}

function over(what: FromLauncher): void {
  children.delete(what.id)
  // Nobody is there any more to whom it could matter.
  if (process.connected) process.send?.(what, undefined, undefined, () => undefined)
}

/** Its first line says whose it is. Nothing is read from it here: that is for the program. */
function connected(id: number, what: (typeof ENDS)[number]): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path, allowHalfOpen: true })
    socket.pause()
    socket.once('error', reject)
    socket.write(`${id} ${what}\n`, () => resolve(socket))
  })
}
