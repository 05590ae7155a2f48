import type { ChildProcess } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { killGroup, startCommand } from '../command.ts'
import type { Request, Response } from './protocol.ts'
import type { Evidence, Use } from './use.ts'
import type { Task, TaskRecord } from './workload.ts'

/** A place in the lab from which services are used. */
export interface Vantage {
  perform(use: Use): Promise<Evidence>
  /** Uses services over and over until `stop`. */
  startWorkload(tasks: readonly Task[]): { stop(): Promise<readonly TaskRecord[]> }
  close(): void
}

/** Starts an agent behind the argv that enters a host (`LabHost.inside`) or a namespace. */
export function openVantage(inside: (argv: readonly string[]) => string[]): Vantage {
  const agent = startCommand(inside([process.execPath, join(import.meta.dirname, 'agent.ts')]), {}, ['pipe', 'pipe', 'inherit'])
  const ask = askOf(agent)
  let next = 0
  const close = () => killGroup(agent, 'SIGKILL')
  return {
    async perform(use) {
      const response = await ask({ id: next++, kind: 'perform', use })
      if (response.kind !== 'evidence') throw new Error('the agent answered something else')
      return response.evidence
    },
    startWorkload(tasks) {
      const id = next++
      tell(agent, { id, kind: 'startWorkload', tasks })
      return {
        async stop() {
          const response = await ask({ id, kind: 'stopWorkload' })
          if (response.kind !== 'records') throw new Error('the agent answered something else')
          return response.records
        },
      }
    },
    close,
  }
}

/** Answers may come in any order; the id tells whose they are. An agent that dies fails every question, now and later. */
function askOf(agent: ChildProcess): (request: Request) => Promise<Response> {
  const waiting = new Map<number, { resolve: (response: Response) => void; reject: (error: Error) => void }>()
  let death: Error | undefined
  // An agent that nobody waits for is no reason for this process to go on.
  const hold = (isHeld: boolean) => {
    for (const handle of [agent, agent.stdin, agent.stdout] as unknown as { ref(): void; unref(): void }[]) {
      if (isHeld) handle.ref()
      else handle.unref()
    }
  }
  hold(false)
  agent.once('close', (code) => {
    death = new Error(`the agent ended with ${code}`)
    for (const { reject } of waiting.values()) reject(death)
    waiting.clear()
  })
  if (agent.stdout !== null) {
    createInterface({ input: agent.stdout }).on('line', (line) => {
      const response = JSON.parse(line) as Response
      waiting.get(response.id)?.resolve(response)
      waiting.delete(response.id)
      hold(waiting.size > 0)
    })
  }
  return (request) =>
    new Promise((resolve, reject) => {
      if (death !== undefined) return reject(death)
      waiting.set(request.id, { resolve, reject })
      hold(true)
      tell(agent, request)
    })
}

function tell(agent: ChildProcess, request: Request): void {
  agent.stdin?.write(`${JSON.stringify(request)}\n`)
}
