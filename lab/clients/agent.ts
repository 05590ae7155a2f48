import { createInterface } from 'node:readline'
import { perform } from './perform.ts'
import type { Request, Response } from './protocol.ts'
import { startWorkload, type Workload } from './workload.ts'

/** Runs inside a host: takes requests from standard input, one JSON object a line, and answers on standard output. Ends with its input. */
const workloads = new Map<number, Workload>()

createInterface({ input: process.stdin })
  .on('line', (line) => void handle(JSON.parse(line) as Request))
  .on('close', () => process.exit(0))

async function handle(request: Request): Promise<void> {
  switch (request.kind) {
    case 'perform':
      return respond({ id: request.id, kind: 'evidence', evidence: await perform(request.use) })
    case 'startWorkload':
      workloads.set(request.id, startWorkload(request.tasks))
      return
    case 'stopWorkload': {
      const records = await workloads.get(request.id)?.stop()
      workloads.delete(request.id)
      return respond({ id: request.id, kind: 'records', records: records ?? [] })
    }
  }
}

function respond(response: Response): void {
  process.stdout.write(`${JSON.stringify(response)}\n`)
}
