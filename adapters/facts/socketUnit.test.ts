import { formatAddress } from '@portcullis/core/net/address.ts'
import { expect, test } from 'vitest'
import { readSocketUnits, unitOfCgroup } from './socketUnit.ts'

test.each([
  ['0.0.0.0:22                     ssh.socket                   ssh.service', '0.0.0.0 22 ssh.socket → ssh.service'],
  ['[::]:22                        ssh.socket                   ssh.service', ':: 22 ssh.socket → ssh.service'],
  ['[fe80::1]:22%eth0              ssh.socket                   ssh.service', 'fe80::1 22 ssh.socket → ssh.service'],
  ['*:9090                         cockpit.socket               cockpit.service', ':: 9090 cockpit.socket → cockpit.service'],
  ['127.0.0.1:631                  cups.socket                  cups.service', '127.0.0.1 631 cups.socket → cups.service'],
  ['/run/dbus/system_bus_socket    dbus.socket                  dbus.service', ''],
  ['kobject-uevent 1               systemd-udevd-kernel.socket  systemd-udevd.service', ''],
  ['@/org/kernel/linux/storage/x   multipathd.socket            multipathd.service', ''],
  ['0.0.0.0:22                     ssh.socket                   -', ''],
  ['', ''],
])('%s', (line, expected) => {
  expect(readSocketUnits(`${line}\n`).map((unit) => `${formatAddress(unit.address)} ${unit.port} ${unit.socket} → ${unit.activates}`).join()).toBe(expected)
})

test.each([
  ['/system.slice/nginx.service', 'nginx.service'],
  ['/system.slice/system-postgresql.slice/postgresql@15-main.service', 'postgresql@15-main.service'],
  ['/user.slice/user-1000.slice/user@1000.service/app.slice/web.service', 'web.service'],
  ['/system.slice/docker-4f2a.scope', 'docker-4f2a.scope'],
  ['/system.slice/odd\\x2dname.service', 'odd-name.service'],
  ['/system.slice/a.service/payload', 'a.service'],
  ['/init.scope', undefined],
  ['/', undefined],
  [undefined, undefined],
])('%s is made by %s', (path, expected) => {
  expect(unitOfCgroup(path)).toBe(expected)
})
