import { formatAddress } from '@portcullis/core/net/address.ts'
import { expect, test } from 'vitest'
import { readListenerLine } from './listenerLine.ts'

const told = (line: string): string => {
  const socket = readListenerLine(line)
  if (socket === undefined || socket === 'other') return String(socket)
  const bound = socket.addresses.map(formatAddress).join(' and ')
  const holders = socket.holders.map(({ name, pid }) => `${name}/${pid}`).join(' ')
  return [`${socket.protocol} ${bound} ${socket.port}`, socket.interface && `on ${socket.interface}`, holders, `uid ${socket.uid}`, socket.cgroup].filter(Boolean).join(', ')
}
const tcp = (local: string, rest: string): string => `tcp LISTEN 0      511    ${local}  0.0.0.0:* ${rest}`
const NGINX = 'users:(("nginx",pid=7,fd=6)) ino:16665 sk:b cgroup:/system.slice/nginx.service'

test.each([
  [tcp('0.0.0.0:80', `${NGINX} <->`), 'tcp 0.0.0.0 80, nginx/7, uid 0, /system.slice/nginx.service'],
  [tcp('127.0.0.1:80', `${NGINX} <->      `), 'tcp 127.0.0.1 80, nginx/7, uid 0, /system.slice/nginx.service'],
  [tcp('[::]:80', `${NGINX} v6only:1 <->`), 'tcp :: 80, nginx/7, uid 0, /system.slice/nginx.service'],
  [tcp('*:80', `${NGINX} v6only:0 <->`), 'tcp 0.0.0.0 and :: 80, nginx/7, uid 0, /system.slice/nginx.service'],
  [tcp('*:80', ''), 'tcp 0.0.0.0 and :: 80, uid 0'],
  [tcp('[::]:80', `${NGINX} v6only:0 <->`), 'tcp 0.0.0.0 and :: 80, nginx/7, uid 0, /system.slice/nginx.service'],
  [tcp(':::80', ''), 'tcp :: 80, uid 0'],
  [tcp('[::ffff:10.77.0.2]:7001', ''), 'tcp 10.77.0.2 7001, uid 0'],
  [tcp('[::1]:80', ''), 'tcp ::1 80, uid 0'],
  ['udp UNCONN 0 0 [fe80::cc2e:c9ff:fe3c:2240]%eth0:546 [::]:* ino:1 sk:2 <->', 'udp fe80::cc2e:c9ff:fe3c:2240 546, on eth0, uid 0'],
  ['udp UNCONN 0 0 0.0.0.0%br-0a:68 0.0.0.0:*', 'udp 0.0.0.0 68, on br-0a, uid 0'],
  ['udp UNCONN 0 0 *%eth0:68 *:*', 'udp 0.0.0.0 and :: 68, on eth0, uid 0'],
  [tcp('0.0.0.0:80', 'users:(("nginx",pid=9,fd=6),("nginx",pid=7,fd=6)) uid:33 ino:5 sk:b cgroup:unreachable:1 <->'), 'tcp 0.0.0.0 80, nginx/9 nginx/7, uid 33'],
  [tcp('0.0.0.0:80', 'users:(("a"b",pid=9,fd=6),("c,d (e",pid=7,fd=6)) uid:33 ino:5 sk:b <->'), 'tcp 0.0.0.0 80, a"b/9 c,d (e/7, uid 33'],
  [tcp('0.0.0.0:80', 'users:(("x)) uid:0 ino:1",pid=9,fd=6)) uid:33 ino:5 sk:b <->'), 'tcp 0.0.0.0 80, x)) uid:0 ino:1/9, uid 33'],
  [tcp('0.0.0.0:80', 'users:(("\u001B[31mred",pid=9,fd=6)) ino:5 sk:b <->'), 'tcp 0.0.0.0 80, ?[31mred/9, uid 0'],
  [tcp('0.0.0.0:80', 'users:(("日志",pid=9,fd=6)) ino:5 sk:b <->'), 'tcp 0.0.0.0 80, 日志/9, uid 0'],
  ['sctp LISTEN 0 5 10.0.0.1:9999 0.0.0.0:*', 'sctp 10.0.0.1 9999, uid 0'],
  ['???  UNCONN 0 0 *:icmp *:*', 'undefined'],
  ['raw UNCONN 0 0 0.0.0.0:1 0.0.0.0:*', 'other'],
  ['tcp ESTAB 0 0 10.0.0.1:22 10.0.0.2:5', 'undefined'],
  [tcp('0.0.0.0:65536', ''), 'undefined'],
  [tcp('300.0.0.0:1', ''), 'undefined'],
  [tcp('0.0.0.0:http', ''), 'undefined'],
  ['', 'undefined'],
])('%s', (line, expected) => {
  expect(told(line)).toBe(expected)
})
