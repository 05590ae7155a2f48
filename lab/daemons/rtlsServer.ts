import { createSocket } from 'node:dgram'

/** usage: rtlsServer.ts PORT. Answers every datagram `TEXT` with `ACK TEXT`, on IPv4 and IPv6. */
process.title = 'rtls-server'

for (const type of ['udp4', 'udp6'] as const) {
  const socket = createSocket({ type, ipv6Only: type === 'udp6' })
  socket.on('message', (message, from) => socket.send(`ACK ${message.toString()}`, from.port, from.address))
  socket.bind(Number(process.argv[2]))
}
