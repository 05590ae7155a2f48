import { createServer } from 'node:net'

/** usage: feedServer.ts PORT. Sends every client `TICK NUMBER` lines from the moment it connects. */
const TICK_MS = 50

process.title = 'feed-server'

createServer((socket) => {
  let number = 0
  const timer = setInterval(() => socket.write(`TICK ${++number}\n`), TICK_MS)
  socket.on('close', () => clearInterval(timer))
  socket.on('error', () => socket.destroy())
  socket.resume()
}).listen({ port: Number(process.argv[2]), host: '::' })
