import { join } from 'node:path'
import { mustRun } from './command.ts'
import type { LabHost } from './host.ts'
import { addressOf, type World } from './world.ts'

export const authorityFile = (directory: string): string => join(directory, 'ca.pem')

export const certificatesNeeded = (world: World): boolean =>
  world.hosts.some((host) => host.services.some((service) => service.daemon === 'nginx'))

/** Makes the lab's own authority, which signs one certificate for each TLS server. */
export async function makeAuthority(directory: string): Promise<void> {
  await mustRun(['openssl', 'req', ...NEW_KEY, '-subj', '/CN=Lab authority', '-keyout', join(directory, 'ca.key'), '-out', authorityFile(directory)])
}

/** Puts `/etc/lab/tls.pem` and `/etc/lab/tls.key` on the host, valid for its name and addresses. */
export async function certify(directory: string, host: LabHost): Promise<void> {
  host.writeFile('/etc/lab/tls.pem', '')
  const names = `subjectAltName=DNS:${host.name},IP:${addressOf(host.spec, 4)},IP:${addressOf(host.spec, 6)}`
  const files = ['-keyout', host.pathOf('/etc/lab/tls.key'), '-out', host.pathOf('/etc/lab/tls.pem')]
  const authority = ['-CA', authorityFile(directory), '-CAkey', join(directory, 'ca.key')]
  await mustRun(['openssl', 'req', ...NEW_KEY, ...authority, '-subj', `/CN=${host.name}`, '-addext', names, '-addext', 'basicConstraints=critical,CA:FALSE', ...files])
}

const NEW_KEY = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '30']
