import { CATALOGUE } from '@portcullis/core/policy/catalogue.ts'
import type { Service } from '@portcullis/core/policy/policy.ts'
import { makeService, parseServicePorts } from '@portcullis/core/policy/service.ts'
import type { Path } from './located.ts'
import { unknownName, type Reading } from './reading.ts'
import type { ServiceEntry } from './schema.ts'

/** The policy's own services; one of the same name as in the catalogue stands for it. */
export function readServices(entries: Readonly<Record<string, ServiceEntry>>, reading: Reading): Map<string, Service> {
  const services = new Map<string, Service>()
  for (const [name, entry] of Object.entries(entries)) {
    const service = readService(name, entry, reading)
    if (service) services.set(name, service)
  }
  return services
}

function readService(name: string, entry: ServiceEntry, reading: Reading): Service | undefined {
  const isShort = typeof entry === 'string' || Array.isArray(entry)
  const path: Path = isShort ? ['services', name] : ['services', name, 'ports']
  const written = isShort ? entry : entry.ports
  const before = reading.faults.length
  const ports = typeof written === 'string' ? readPorts(written, path, reading) : written.flatMap((item, index) => readPorts(item, [...path, index], reading))
  if (reading.faults.length > before) return undefined
  const title = isShort ? undefined : entry.title
  if (typeof title === 'object') return makeService(name, title.en, ports, title)
  return makeService(name, title ?? name, ports)
}

function readPorts(written: string, path: Path, reading: Reading): Service['ports'][number][] {
  const ports = parseServicePorts(written)
  if (ports.ok) return ports.value
  for (const fault of ports.faults) reading.refuse(fault, path)
  return []
}

/** Nothing, and a fault, where neither the policy nor the catalogue knows the name. */
export function findService(name: string, own: ReadonlyMap<string, Service>, path: Path, reading: Reading): Service | undefined {
  const service = own.get(name) ?? CATALOGUE.get(name)
  if (service ?? reading.isBroken('services', name)) return service
  return reading.refuse(
    unknownName('POLICY_UNKNOWN_SERVICE', { en: 'service', zh: '服务' }, name, [...own.keys(), ...CATALOGUE.keys()], {
      en: 'define its ports under services, for instance "market-data: 5133/tcp"',
      zh: '请在 services 中定义其端口，例如 market-data: 5133/tcp',
    }),
    path,
  )
}
