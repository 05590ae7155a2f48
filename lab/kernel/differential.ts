import type { HostFacts } from '@portcullis/core/ruleset/hostfacts.ts'
import type { Ruleset } from '@portcullis/core/ruleset/ruleset.ts'
import { Decider, type PacketVerdict } from '@portcullis/core/verify/decide.ts'
import { evaluateLinear, type LinearResult, type Outcome } from '@portcullis/core/verify/linear.ts'
import { FRAME_BYTES_MAX, idOf, writeFrame } from './frame.ts'
import { address, type TestPacket } from './packet.ts'
import { INTERFACES, SENTINEL_MAC, type Stage } from './stage.ts'

/** Where the kernel, the linear evaluator and the diagram do not say the same of one packet. */
export interface Mismatch {
  readonly packet: TestPacket['packet']
  readonly kernel: 'passed in input' | 'passed in forward' | 'stopped'
  readonly linear: readonly Outcome[]
  readonly diagram: readonly Outcome[]
  readonly linearWhy: readonly string[]
}

export interface Tally {
  packets: number
  passed: number
  stopped: number
  /** The linear evaluator said "either": the kernel cannot contradict that. */
  undecided: number
  /** One evaluator says "either" where the other is sure. */
  lessSure: number
  /** The diagram was past its budget. */
  pastBudget: number
  /** Later fragments of which this kernel has read ports that are none; see {@link readsPortsOfFragments}. */
  misreadFragments: number
  readonly mismatches: Mismatch[]
}

export const emptyTally = (): Tally => ({ packets: 0, passed: 0, stopped: 0, undecided: 0, lessSure: 0, pastBudget: 0, misreadFragments: 0, mismatches: [] })

const HOOK_INPUT = 1
const WAIT_MS = 20_000

const SENTINEL: TestPacket = {
  id: 0xffff_ffff,
  packet: { source: address('192.0.2.9'), destination: address('192.0.2.1'), protocol: 47, iif: 'eth0', ct: 'new', pkttype: 0, macSource: BigInt(`0x${SENTINEL_MAC.replaceAll(':', '')}`) },
}

/** A twelfth of what the product allows itself: of a thousand random rulesets a few grow past any use, and most of the time would go into them. */
const BUDGET = { edgesMax: 4_000_000 }

/** Sends the packets through the kernel's rules and compares what it let pass with both evaluators. */
export async function compareWithKernel(stage: Stage, ruleset: Ruleset, packets: readonly TestPacket[], tally: Tally, isMisreading: boolean): Promise<void> {
  const seen = await passThroughKernel(stage, packets)
  const decider = new Decider(ruleset, { way: 'arrival', facts: stage.facts, budget: BUDGET })
  for (const test of packets) {
    const found = compareOne(ruleset, stage.facts, decider, test, seen.get(test.id), tally)
    if (found && isMisreading && test.packet.fragment === 'later' && found.linear.join() === found.diagram.join()) tally.misreadFragments += 1
    else if (found) tally.mismatches.push(found)
  }
}

function compareOne(ruleset: Ruleset, facts: HostFacts, decider: Decider, test: TestPacket, hook: number | undefined, tally: Tally): Mismatch | undefined {
  const linear = [...evaluateLinear(ruleset, test.packet, { facts }).outcomes]
  const decided = decider.decide(test.packet)
  const diagram = outcomesOf(decided)
  const kernel = hook === undefined ? 'stopped' : hook === HOOK_INPUT ? 'passed in input' : 'passed in forward'
  tally.packets += 1
  if (kernel === 'stopped') tally.stopped += 1
  else tally.passed += 1
  if (linear.length > 1) tally.undecided += 1
  const isPastBudget = decided.kind === 'undecided' && decided.because === 'budget'
  if (isPastBudget) tally.pastBudget += 1
  else if (linear.length !== diagram.length) tally.lessSure += 1
  const mayBe = (outcomes: readonly Outcome[]): boolean => outcomes.some((outcome) => (outcome === 'accept') === (kernel !== 'stopped'))
  const agrees = mayBe(linear) && mayBe(diagram) && linear.some((outcome) => diagram.includes(outcome))
  return agrees ? undefined : { packet: test.packet, kernel, linear, diagram, linearWhy: explain(ruleset, facts, test) }
}

const outcomesOf = (verdict: PacketVerdict): readonly Outcome[] => {
  switch (verdict.kind) {
    case 'accepted':
      return ['accept']
    case 'dropped':
      return ['drop']
    case 'rejected':
      return ['reject']
    case 'undecided':
      return verdict.outcomes
  }
}

function explain(ruleset: Ruleset, facts: HostFacts, test: TestPacket): readonly string[] {
  const result: LinearResult = evaluateLinear(ruleset, test.packet, { facts, isTraced: true })
  return [...result.trace.map((line) => `${line.isSure ? '' : '? '}${line.table.family} ${line.table.name} ${line.chain.name}: ${line.rule?.source.text ?? ''} => ${line.effect}`), ...result.unknowns.map((unknown) => `unknown: ${unknown.what}`)]
}

const BATCH = 512

/** The hook in which each packet reached priority 300, by id. Every packet sent must have arrived, or the run is void. */
async function passThroughKernel(stage: Stage, packets: readonly TestPacket[]): Promise<Map<number, number>> {
  const seen = new Map<number, number>()
  const receive = (): number =>
    stage.nflog.receive((packet) => {
      const id = idOf(packet.payload)
      if (id !== undefined) seen.set(id, packet.hook)
    })
  stage.takeArrived()
  for (const name of INTERFACES) await send(stage, name, packets.filter((test) => test.packet.iif === name), receive)
  const until = performance.now() + WAIT_MS
  let arrived = stage.takeArrived()
  while (arrived < packets.length && performance.now() < until) arrived += stage.takeArrived()
  if (arrived !== packets.length) throw new Error(`${packets.length} packets were sent and ${arrived} arrived`)
  await send(stage, 'eth0', [SENTINEL], receive)
  while (!seen.has(SENTINEL.id) && performance.now() < until) if (receive() === 0) await stage.nflog.waitReadable(20)
  if (!seen.has(SENTINEL.id)) throw new Error('the sentinel did not come back')
  if (stage.nflog.takeOverruns() > 0) throw new Error('the log of passed packets has lost some')
  return seen
}

async function send(stage: Stage, name: (typeof INTERFACES)[number], packets: readonly TestPacket[], drain: () => number): Promise<void> {
  const socket = stage.sockets.get(name)
  const hardware = stage.hardware.get(name)
  if (!socket || !hardware) throw new Error(`no interface ${name}`)
  const batch = batchOf(socket)
  for (let at = 0; at < packets.length; at += BATCH) {
    const part = packets.slice(at, at + BATCH)
    for (const [index, test] of part.entries()) batch.setLength(index, writeFrame(batch.slot(index), test, hardware))
    for (let sent = 0; sent < part.length; ) sent += socket.sendFrames(batch, part.length, sent)
    drain()
    await Promise.resolve()
  }
}

type Socket = NonNullable<ReturnType<Stage['sockets']['get']>>
type Batch = ReturnType<Socket['newSendBatch']>

const batches = new WeakMap<Socket, Batch>()

function batchOf(socket: Socket): Batch {
  const batch = batches.get(socket) ?? socket.newSendBatch({ capacity: BATCH, slotBytes: FRAME_BYTES_MAX })
  batches.set(socket, batch)
  return batch
}
