import { describeFault, succeed } from '@portcullis/core/fault/fault.ts'
import { parseAddress } from '@portcullis/core/net/address.ts'
import { createInterface } from 'node:readline'
import { COMMANDS } from '../cli/catalogue.ts'
import type { Cli, Doors, OpenedWorld } from '../cli/cli.ts'
import { paintFor } from '../cli/paint.ts'
import { runProgram } from '../cli/program.ts'
import { wiredDoors } from '../doors.ts'
import type { ControllerNote, ControllerReply, ControllerRequest, ScanWord } from './controllerMessage.ts'

/**
 * The controller's machine: runs the commands of `portcullis` from inside a network namespace, one after the other unless
 * asked otherwise, on a store that stays open between them.
 *
 *     ip netns exec NAMESPACE node app/demo/controllerProcess.ts STATE-FOLDER
 *
 * Requests on standard input, replies on standard output; ends with its input.
 */
const state = process.argv[2] ?? ''
const doors = wiredDoors()
const opened = await openState()
// While the demo still does other things: what the first command would load otherwise.
for (const { name, load } of COMMANDS) if (/^(host install|observe|plan|apply|drift|matrix|rollout start|rollout promote)$/.test(name)) await load()
let turn: Promise<void> = Promise.resolve()

createInterface({ input: process.stdin })
  .on('line', (line) => {
    const request = JSON.parse(line) as ControllerRequest
    if (request.kind === 'command' && request.isBeside === true) void handle(request)
    else turn = turn.then(() => handle(request))
  })
  .on('close', () => void turn.then(opened.close))

async function openState(): Promise<OpenedWorld> {
  const world = await doors.openWorld({ state, report: () => undefined })
  if (world.ok) return world.value
  for (const fault of world.faults) process.stderr.write(`${describeFault(fault, 'en')}\n`)
  return process.exit(1)
}

async function handle(request: ControllerRequest): Promise<void> {
  const { id } = request
  try {
    if (request.kind === 'command') return reply({ id, ...(await runCommand(request.argv, request.isFollowed === true ? (note) => reply({ id, note }) : () => undefined)) })
    await opened.world.store.addObservations(request.scans.flatMap(observationOf))
    reply({ id, exitCode: 0, out: '' })
  } catch (error) {
    reply({ id, exitCode: 70, out: error instanceof Error ? (error.stack ?? error.message) : String(error) })
  }
}

async function runCommand(argv: readonly string[], err: (text: string) => void): Promise<{ exitCode: number; out: string }> {
  let out = ''
  const write = (text: string): void => void (out += text)
  const exitCode = await runProgram(argv, { language: 'en', isColoured: false, out: write, err: write, makeCli: () => cliWith(write, err) })
  return { exitCode, out }
}

const cliWith = (out: Cli['out'], err: Cli['err']): Cli => ({
  language: 'en',
  isJson: true,
  out,
  err,
  paint: paintFor(false),
  errPaint: paintFor(false),
  isTerminal: false,
  columns: 120,
  signal: new AbortController().signal,
  now: () => opened.world.clock.now(),
  doors: { ...doors, openWorld: sharedWorld },
})

const sharedWorld: Doors['openWorld'] = async () => succeed({ world: opened.world, ...(opened.openRollouts ? { openRollouts: opened.openRollouts } : {}), close: async () => undefined })

function observationOf({ address, ...word }: ScanWord) {
  const parsed = parseAddress(address)
  return parsed.ok ? [{ kind: 'scan' as const, ...word, address: parsed.value }] : []
}

function reply(message: ControllerReply | ControllerNote): void {
  process.stdout.write(`${JSON.stringify(message)}\n`)
}
