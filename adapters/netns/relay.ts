import { connect } from 'node:net'

/** `relay.ts ADDRESS PORT`: standard input and output become one TCP connection. Says `open`, or `refused CODE`, on standard error. */
const [address = '', port = ''] = process.argv.slice(2)
const socket = connect({ host: address, port: Number(port) })
socket.once('connect', () => {
  process.stderr.write('open\n')
  process.stdin.pipe(socket).pipe(process.stdout)
})
socket.once('error', (error: NodeJS.ErrnoException) => {
  process.stderr.write(`refused ${error.code ?? 'unknown'}\n`)
  process.exitCode = 1
  process.stdin.destroy()
})
