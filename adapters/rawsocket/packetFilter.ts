/**
 * Classic BPF, as SO_ATTACH_FILTER takes it (Linux Documentation/networking/filter.rst): a small assembler with labels,
 * so that a filter reads like the sentence it means.
 */

export interface Instruction {
  readonly code: number
  readonly ifTrue: number
  readonly ifFalse: number
  readonly value: number
}

/** Where to go on: a label of the program, or the next line. */
type Label = string

export type Line =
  | { readonly label: Label }
  | { readonly load: 'byte' | 'half'; readonly at: number; readonly plusIndex?: boolean }
  /** X = 4 × (low nibble of the byte at `at`): the length of an IPv4 header. */
  | { readonly loadHeaderLength: number }
  | { readonly and: number }
  | { readonly test: '==' | '&'; readonly value: number; readonly ifYes?: Label; readonly ifNo?: Label }
  | { readonly give: number }

const LOAD = { half: { fixed: 0x28, indexed: 0x48 }, byte: { fixed: 0x30, indexed: 0x50 } } as const
const LOAD_HEADER_LENGTH = 0xb1
const AND = 0x54
const TEST = { '==': 0x15, '&': 0x45 } as const
const GIVE = 0x06

/** struct sock_filter, repeated. Throws on an unknown label or a jump over 255 instructions: both are mistakes of the code. */
export function assemble(lines: readonly Line[]): Instruction[] {
  const labels = new Map<Label, number>()
  let at = 0
  for (const line of lines) {
    if ('label' in line) labels.set(line.label, at)
    else at += 1
  }
  const program: Instruction[] = []
  for (const line of lines) {
    if (!('label' in line)) program.push(instructionOf(line, labels, program.length))
  }
  return program
}

export function encodeFilter(program: readonly Instruction[]): Buffer {
  const bytes = Buffer.alloc(program.length * 8)
  for (const [index, instruction] of program.entries()) {
    bytes.writeUInt16LE(instruction.code, index * 8)
    bytes.writeUInt8(instruction.ifTrue, index * 8 + 2)
    bytes.writeUInt8(instruction.ifFalse, index * 8 + 3)
    bytes.writeUInt32LE(instruction.value, index * 8 + 4)
  }
  return bytes
}

function instructionOf(line: Exclude<Line, { label: Label }>, labels: ReadonlyMap<Label, number>, at: number): Instruction {
  const plain = (code: number, value: number): Instruction => ({ code, ifTrue: 0, ifFalse: 0, value })
  if ('load' in line) return plain(LOAD[line.load][line.plusIndex ? 'indexed' : 'fixed'], line.at)
  if ('loadHeaderLength' in line) return plain(LOAD_HEADER_LENGTH, line.loadHeaderLength)
  if ('and' in line) return plain(AND, line.and)
  if ('give' in line) return plain(GIVE, line.give)
  return {
    code: TEST[line.test],
    ifTrue: distance(line.ifYes, labels, at),
    ifFalse: distance(line.ifNo, labels, at),
    value: line.value,
  }
}

function distance(label: Label | undefined, labels: ReadonlyMap<Label, number>, at: number): number {
  if (label === undefined) return 0
  const target = labels.get(label)
  if (target === undefined || target <= at || target - at - 1 > 255) throw new Error(`filter: cannot jump to ${label}`)
  return target - at - 1
}
