import fc from 'fast-check'
import { expect, test } from 'vitest'
import { fact, HANDSHAKES, identityOf } from './handshake.ts'
import { packetOf, readPackets } from './sshHandshake.ts'

const hex = (text: string): Buffer => Buffer.from(text, 'hex')
const text = (content: string): Buffer => Buffer.from(content, 'latin1')
const mysqlGreeting = Buffer.concat([hex('4a0000000a'), text('8.0.36\0'), Buffer.alloc(67)])

test.each<[string, Buffer, string | undefined, string | undefined, Record<string, string>?]>([
  ['OpenSSH', text('SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n'), undefined, 'ssh', { banner: 'SSH-2.0-OpenSSH_9.2p1 Debian-2' }],
  ['Postfix', text('220 mail.example ESMTP Postfix\r\n'), undefined, 'smtp'],
  ['vsftpd', text('220 (vsFTPd 3.0.3)\r\n'), undefined, 'ftp'],
  ['a greeting that says nothing', text('220 welcome\r\n'), undefined, undefined],
  ['…and takes EHLO', text('220 welcome\r\n250-hi\r\n250 SIZE\r\n'), 'smtp', 'smtp'],
  ['…and does not', text('220 welcome\r\n530 Please login\r\n'), 'smtp', 'ftp'],
  ['MySQL', mysqlGreeting, undefined, 'mysql', { version: '8.0.36' }],
  ['telnet', hex('fffd18fffd20'), undefined, 'telnet'],
  ['Redis', text('+PONG\r\n'), 'redis', 'redis'],
  ['Redis with a password, asked in HTTP', text('-NOAUTH Authentication required.\r\n'), 'http', 'redis'],
  ['nginx', text('HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\n\r\n<html><title> Hello </title>'), 'http', 'http', { status: '200', server: 'nginx/1.22.1', title: 'Hello' }],
  ['PostgreSQL with TLS', text('S'), 'postgresql', 'postgresql', { tls: 'offered' }],
  ['an S from something else', text('S'), 'redis', undefined],
  ['DNS', hex('000c504381050000000000000000'), 'dns', 'dns'],
  ['DICOM rejection', hex('03000000000400010101'), 'dicom', 'dicom', { association: 'rejected' }],
  ['the same bytes, not asked for', hex('03000000000400010101'), 'http', undefined],
  ['RDP', hex('030000130ed000001234000200080002000000'), 'rdp', 'rdp'],
  ['SMB 3.0.2', Buffer.concat([hex('00000050'), text('\u00feSMB'), Buffer.alloc(60), hex('410001000203'), Buffer.alloc(20)]), 'smb', 'smb', { dialect: '3.0.2' }],
  ['MQTT, not authorised', hex('20020005'), 'mqtt', 'mqtt', { code: '5' }],
  ['RabbitMQ', Buffer.concat([hex('01000000000040000a000a'), hex('0009000000'), text('\u0007productS\0\0\0\u0008RabbitMQ\0')]), 'amqp', 'amqp', { product: 'RabbitMQ' }],
  ['Kafka', hex('0000000a5043504b000000000000'), 'kafka', 'kafka'],
  ['slapd', hex('300c02010161070a010004000400'), 'ldap', 'ldap'],
  ['slapd, disconnecting on noise', hex('300c02010078070a010204000400'), 'http', 'ldap'],
  ['an SNMP message', hex('300c020101040670756200a200'), 'http', undefined],
  ['rpcbind', hex('80000018504350430000000100000000000000000000000000000000'), 'rpcbind', 'rpcbind'],
  ['mountd, asked for the port mapper', hex('80000018504350430000000100000000000000000000000000000001'), 'rpcbind', 'sunrpc'],
  ['rsync', text('@RSYNCD: 31.0 sha512 sha256\n'), undefined, 'rsync', { banner: '@RSYNCD: 31.0' }],
  ['an RTSP server asked in HTTP', text('RTSP/1.0 400 Bad Request\r\n\r\n'), 'http', 'rtsp', { status: '400' }],
  ['SIP', text('SIP/2.0 405 Method Not Allowed\r\n\r\n'), 'sip', 'sip', { status: '405' }],
  ['ZooKeeper', text('Zookeeper version: 3.8.0-1, built on x\n'), 'zookeeper', 'zookeeper', { version: '3.8.0-1' }],
  ['STUN', hex('010100002112a442504f5254504f5254504f5254'), 'stun', 'stun'],
  ['epmd with a node', Buffer.concat([hex('00001111'), text('name rabbit at port 25672\n')]), 'epmd', 'epmd'],
  ['the same bytes, not asked for', Buffer.concat([hex('00001111'), text('name rabbit at port 25672\n')]), 'http', undefined],
  ['OpenVPN', Buffer.concat([hex('001a40'), Buffer.alloc(8, 7), hex('0100000000'), text('PORTCULL'), Buffer.alloc(4)]), 'openvpn', 'openvpn'],
  ['silence', Buffer.alloc(0), 'http', undefined],
  ['noise', hex('00010203'), 'http', undefined],
])('%s', (_, answer, asked, service, details) => {
  const identity = identityOf(answer, asked)
  expect(identity?.service).toBe(service)
  if (details) expect(identity?.details).toEqual(details)
})

test('no answer makes a recogniser throw, and no fact can steer a terminal', () => {
  const asked = fc.constantFrom(undefined, ...HANDSHAKES.map(({ service }) => service))
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), asked, fc.constantFrom('', '220 ', 'HTTP/1.1 200\r\nserver: ', 'SSH-2.0-', '\u0001\0\0'), (bytes, by, start) => {
      const identity = identityOf(Buffer.concat([text(start), bytes]), by)
      // oxlint-disable-next-line no-control-regex -- control characters are what must not be there
      for (const value of Object.values(identity?.details ?? {})) expect(value).not.toMatch(/[\u0000-\u001f\u007f-\u009f]/)
    }),
    { numRuns: 2000 },
  )
  expect(fact('a\u001b[31mb\nc')).toBe('a [31mb c')
})

test('questions hold the lengths they state', () => {
  const question = (service: string): Buffer => HANDSHAKES.find((one) => one.service === service)?.question?.() ?? Buffer.alloc(0)
  expect(question('dicom').readUInt32BE(2)).toBe(question('dicom').length - 6)
  expect(question('rdp').readUInt16BE(2)).toBe(question('rdp').length)
  expect(question('smb').readUInt32BE(0)).toBe(question('smb').length - 4)
  expect(question('mqtt')[1]).toBe(question('mqtt').length - 2)
  expect(question('kafka').readUInt32BE(0)).toBe(question('kafka').length - 4)
  expect(question('ldap')[1]).toBe(question('ldap').length - 2)
  expect(question('rpcbind').readUInt32BE(0)).toBe(0x80000000 + question('rpcbind').length - 4)
  expect(question('openvpn').readUInt16BE(0)).toBe(question('openvpn').length - 2)
  expect(question('dns').readUInt16BE(0)).toBe(question('dns').length - 2)
})

test('SSH packets: what is packed is read again, whatever was cut off', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ minLength: 1, maxLength: 60 }), { maxLength: 5 }), fc.nat(40), (payloads, cut) => {
      const bytes = Buffer.concat([text('SSH-2.0-x\r\n'), ...payloads.map((payload) => packetOf(Buffer.from(payload)))])
      expect(readPackets(bytes).map((packet) => [...packet])).toEqual(payloads.map((payload) => [...payload]))
      const whole = readPackets(bytes.subarray(0, bytes.length - cut))
      expect(whole.length).toBeLessThanOrEqual(payloads.length)
      for (const payload of payloads) expect(packetOf(Buffer.from(payload)).length % 8).toBe(0)
    }),
  )
})
