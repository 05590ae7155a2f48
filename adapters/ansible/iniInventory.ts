import { fail, succeed, type Fault, type Place, type Result, type Text } from '@portcullis/core/fault/fault.ts'
import { nearest } from '@portcullis/core/policy/nearest.ts'
import { expandHostPattern } from './hostPattern.ts'
import { INVENTORY_HOSTS_MAX, InventoryDraft, type Inventory } from './inventory.ts'
import { splitWords } from './words.ts'

type SectionKind = 'hosts' | 'children' | 'vars'

interface Section {
  readonly group: string
  readonly kind: SectionKind
}

/** Reads the INI form. Every fault, not only the first: ANSIBLE_SECTION, ANSIBLE_HOST, ANSIBLE_VARIABLE, ANSIBLE_UNKNOWN_GROUP. */
export function parseIniInventory(text: string, file: string): Result<Inventory> {
  const reader = new IniReader(file)
  for (const [index, line] of text.split(/\r?\n/).entries()) reader.readLine(line, index + 1)
  reader.checkGroups()
  return reader.faults.length > 0 ? fail(...reader.faults) : succeed(reader.draft)
}

class IniReader {
  readonly draft = new InventoryDraft()
  readonly faults: Fault[] = []
  readonly #file: string
  #section: Section = { group: 'ungrouped', kind: 'hosts' }
  /** Groups that are written as sections or hold hosts, and where others name groups. */
  readonly #defined = new Set(['all', 'ungrouped'])
  readonly #named: { group: string; place: Place }[] = []

  constructor(file: string) {
    this.#file = file
  }

  readLine(line: string, number: number): void {
    const trimmed = line.trim()
    if (trimmed === '' || trimmed.startsWith('#') || trimmed.startsWith(';')) return
    const place = { file: this.#file, line: number, column: line.length - line.trimStart().length + 1 }
    if (trimmed.startsWith('[') && /^\[[^\]]*\]\s*(?:#.*)?$/.test(trimmed)) this.#readSection(trimmed, place)
    else if (this.#section.kind === 'hosts') this.#readHost(line, place)
    else if (this.#section.kind === 'children') this.#readChild(trimmed, place)
    else this.#readVariable(trimmed, place)
  }

  checkGroups(): void {
    for (const { group, place } of this.#named) {
      if (this.#defined.has(group)) continue
      const guess = nearest(group, this.#defined)
      const next = guess === undefined ? { en: `add a section [${group}]`, zh: `请添加 [${group}] 段` } : { en: `did you mean "${guess}"?`, zh: `是否想写“${guess}”？` }
      this.#refuse('ANSIBLE_UNKNOWN_GROUP', place, { en: `there is no group "${group}"`, zh: `没有名为“${group}”的组` }, next)
    }
  }

  #readSection(line: string, place: Place): void {
    const match = /^\[([^:\]\s]+)(?::(children|vars))?\]/.exec(line)
    if (!match) {
      this.#refuse('ANSIBLE_SECTION', place, { en: `"${line}" is not a section`, zh: `“${line}”不是有效的段` }, { en: 'write [group], [group:children] or [group:vars]', zh: '应写成 [组]、[组:children] 或 [组:vars]' })
      return
    }
    const group = match[1] ?? ''
    const kind = (match[2] ?? 'hosts') as SectionKind
    this.#section = { group, kind }
    this.draft.group(group)
    if (kind === 'vars') this.#named.push({ group, place })
    else this.#defined.add(group)
  }

  #readHost(line: string, place: Place): void {
    const [first, ...rest] = splitWords(line, 'comments') ?? []
    const pattern = first && expandHostPattern(first.text, INVENTORY_HOSTS_MAX - this.draft.hosts.size)
    if (!pattern) {
      const what = { en: `"${line.trim().slice(0, 80)}" is not a host`, zh: `“${line.trim().slice(0, 80)}”不是有效的主机` }
      this.#refuse('ANSIBLE_HOST', place, what, { en: 'write NAME key=value …, ranges as web[01:50]; close quotes', zh: '应写成 名称 键=值 …，范围写成 web[01:50]；引号须成对' })
      return
    }
    const variables = new Map<string, string>(pattern.port === undefined ? [] : [['ansible_port', pattern.port]])
    for (const word of rest) {
      const equals = word.text.indexOf('=')
      if (equals > 0) variables.set(word.text.slice(0, equals), word.text.slice(equals + 1))
      else this.#refuseVariable(word.text, { ...place, column: word.at + 1 })
    }
    for (const name of pattern.names) this.draft.addHost(this.#section.group, name, variables, place)
  }

  #readChild(line: string, place: Place): void {
    const child = line.split(/\s+#/)[0] ?? ''
    this.draft.group(this.#section.group).children.add(child)
    this.draft.group(child)
    this.#named.push({ group: child, place })
  }

  #readVariable(line: string, place: Place): void {
    const equals = line.indexOf('=')
    if (equals < 1) return this.#refuseVariable(line, place)
    const value = line.slice(equals + 1).trim()
    const quoted = /^(["'])(.*)\1$/.exec(value)
    this.draft.group(this.#section.group).variables.set(line.slice(0, equals).trim(), quoted ? (quoted[2] ?? '') : value)
  }

  #refuseVariable(text: string, place: Place): void {
    const what = { en: `"${text.slice(0, 80)}" is not a variable`, zh: `“${text.slice(0, 80)}”不是变量赋值` }
    this.#refuse('ANSIBLE_VARIABLE', place, what, { en: 'write key=value', zh: '应写成 键=值' })
  }

  #refuse(code: string, place: Place, what: Text, next: Text): void {
    this.faults.push({ code, place, what, next })
  }
}
