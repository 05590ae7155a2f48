import { streamVerdicts } from '@portcullis/app/cli/packetStream.ts'
import type { Packet } from '@portcullis/core/ruleset/packet.ts'
import { readPacketObject } from '@portcullis/core/ruleset/packetObject.ts'
import { parseNftJson } from '@portcullis/core/ruleset/nft/parse.ts'
import { Decider } from '@portcullis/core/verify/decide.ts'
import { evaluateLinear } from '@portcullis/core/verify/linear.ts'
import { Dice } from './space/dice.ts'
import { hostRules, nftJsonOf } from './space/hostRules.ts'

export const title = 'A stream of packets through a 300-rule ruleset: verdicts a second (at least 100,000), beside walking the rules'

/** Packets and rules are arguments; none: 500,000 and 300. */
export async function run([packetsText = '500000', rulesText = '300']: readonly string[]): Promise<void> {
  const [packets, rules] = [Number(packetsText), Number(rulesText)]
  const parsed = parseNftJson(nftJsonOf(hostRules({ rules, seed: 1 })), 'bench')
  if (!parsed.ok) throw new Error(parsed.faults[0]?.what.en)
  const lines = packetLines(packets)
  const decider = new Decider(parsed.value, { way: 'input' })
  await answer(decider, lines.slice(0, 20_000))
  const streamed = await answer(decider, lines)
  const walked = walk((packet) => evaluateLinear(parsed.value, packet, { hook: 'input' }), lines.slice(0, 5_000))
  console.log(`stream, JSON in and out  ${Math.round(streamed).toLocaleString('en')} packets/s`)
  console.log(`rule by rule             ${Math.round(walked).toLocaleString('en')} packets/s, reading of the lines not counted`)
  console.log(`ratio                    ${(streamed / walked).toFixed(1)}`)
}

/** Chunks as a file is read in. */
const CHUNK_CHARACTERS = 256 * 1024

async function answer(decider: Decider, lines: readonly string[]): Promise<number> {
  const text = `${lines.join('\n')}\n`
  const started = performance.now()
  let written = 0
  const { faulty } = await streamVerdicts(chunksOf(text), {
    decide: (packet) => decider.decide(packet),
    write: (part) => void (written += part.length),
    drained: async () => undefined,
    signal: { aborted: false },
  })
  if (faulty > 0 || written === 0) throw new Error('every line must be answered')
  return (lines.length / (performance.now() - started)) * 1000
}

async function* chunksOf(text: string): AsyncIterable<string> {
  for (let at = 0; at < text.length; at += CHUNK_CHARACTERS) yield text.slice(at, at + CHUNK_CHARACTERS)
}

function walk(evaluate: (packet: Packet) => unknown, lines: readonly string[]): number {
  const packets = lines.flatMap((line) => {
    const read = readPacketObject(JSON.parse(line))
    return read.ok ? [read.value] : []
  })
  const started = performance.now()
  for (const packet of packets) evaluate(packet)
  return (packets.length / (performance.now() - started)) * 1000
}

/** A quarter IPv6; ports that rules name and any others. */
function packetLines(count: number): string[] {
  const dice = new Dice(2)
  return Array.from({ length: count }, (_, index) => {
    const isIPv6 = index % 4 === 3
    const octet = (): number => dice.upTo(256)
    return JSON.stringify({
      family: isIPv6 ? 6 : 4,
      iif: `eth${dice.upTo(4)}`,
      ct: index % 10 === 0 ? 'established' : 'new',
      proto: 'tcp',
      saddr: isIPv6 ? `2001:db8:${octet().toString(16)}::${octet().toString(16)}` : `${octet()}.${octet()}.${octet()}.${octet()}`,
      daddr: isIPv6 ? '2001:db8::1' : '192.0.2.1',
      sport: 1024 + dice.upTo(64_000),
      dport: 1 + dice.upTo(65_535),
      flags: [index % 10 === 0 ? 'ack' : 'syn'],
    })
  })
}
