import type { Instant } from '@portcullis/core/inventory/observation.ts'
import { listensOf } from '@portcullis/lab/daemons/spec.ts'
import type { Port } from '@portcullis/lab/demo/expectations.ts'
import { hostNamed, type World } from '@portcullis/lab/world.ts'
import type { ScanWord } from './controllerMessage.ts'
import type { DrillLine } from './drill.ts'

/**
 * What a drill found, as observations for the matrix: of every port that the host serves, and of whatever else was found
 * open. The drill listed each port that is not in its usual state.
 */
export function scanWords(world: World, lines: readonly DrillLine[], usual: 'closed' | 'filtered', at: Instant): ScanWord[] {
  return lines.flatMap((line) => {
    const served = hostNamed(world, line.host).services.flatMap(listensOf).filter(({ families }) => families.includes(line.family))
    const ports = new Map([...served, ...line.open].map(({ protocol, port }) => [`${protocol} ${port}`, { protocol, port }]))
    return [...ports.values()].map((port): ScanWord => {
      const state = stateOf(line, port, usual)
      return { host: line.host, sensor: 'scan', at, address: line.address, ...port, state, from: line.zone }
    })
  })
}

function stateOf({ open, closed, filtered }: DrillLine, port: Port, usual: 'closed' | 'filtered'): ScanWord['state'] {
  if (isIn(open, port)) return 'open'
  if (isIn(closed, port)) return 'closed'
  return isIn(filtered, port) ? 'filtered' : usual
}

const isIn = (ports: readonly Port[], { protocol, port }: Port): boolean => ports.some((one) => one.protocol === protocol && one.port === port)
