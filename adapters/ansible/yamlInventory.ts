import { fail, succeed, type Fault, type Place, type Result, type Text } from '@portcullis/core/fault/fault.ts'
import { nearest } from '@portcullis/core/policy/nearest.ts'
import type { LocatedMap, LocatedNode } from '../policyfile/located.ts'
import { readYaml } from '../policyfile/yamlReader.ts'
import { expandHostPattern } from './hostPattern.ts'
import { INVENTORY_HOSTS_MAX, InventoryDraft, type Inventory } from './inventory.ts'

const GROUP_KEYS = ['hosts', 'children', 'vars']

/** Reads the YAML form. Every fault, not only the first: YAML_*, ANSIBLE_SHAPE, ANSIBLE_UNKNOWN_KEY, ANSIBLE_HOST. */
export function parseYamlInventory(text: string, file: string): Result<Inventory> {
  const yaml = readYaml(text, file)
  if (!yaml.ok) return yaml
  const reader = new YamlInventoryReader(yaml.value.placeAt)
  const root = yaml.value.root
  if (root.kind === 'map') for (const [name, entry] of root.entries) reader.readGroup(name, entry.value)
  else reader.refuseShape(root, { en: 'an inventory', zh: '主机清单' })
  return reader.faults.length > 0 ? fail(...reader.faults) : succeed(reader.draft)
}

class YamlInventoryReader {
  readonly draft = new InventoryDraft()
  readonly faults: Fault[] = []
  readonly #placeAt: (offset: number) => Place

  constructor(placeAt: (offset: number) => Place) {
    this.#placeAt = placeAt
  }

  readGroup(name: string, node: LocatedNode): void {
    const group = this.draft.group(name)
    const map = this.#mapOf(node, { en: `group "${name}"`, zh: `组“${name}”` })
    for (const [key, { keyAt, value }] of map?.entries ?? []) {
      const part = GROUP_KEYS.includes(key) ? this.#mapOf(value, { en: `"${key}"`, zh: `“${key}”` }) : this.#refuseKey(key, keyAt)
      for (const [inner, entry] of part?.entries ?? []) {
        if (key === 'hosts') this.#readHost(name, inner, entry.keyAt, entry.value)
        if (key === 'vars') group.variables.set(inner, textOf(entry.value))
        if (key === 'children') {
          group.children.add(inner)
          this.readGroup(inner, entry.value)
        }
      }
    }
  }

  refuseShape(node: LocatedNode, name: Text): undefined {
    const what = { en: `${name.en} is not a block of keys`, zh: `${name.zh}不是键值块` }
    const next = { en: 'write all: {hosts: {web-1: {ansible_host: 192.0.2.7}}}', zh: '应写成 all: {hosts: {web-1: {ansible_host: 192.0.2.7}}}' }
    this.faults.push({ code: 'ANSIBLE_SHAPE', place: this.#placeAt(node.at), what, next })
    return undefined
  }

  #readHost(group: string, written: string, keyAt: number, node: LocatedNode): void {
    const place = this.#placeAt(keyAt)
    const pattern = expandHostPattern(written, INVENTORY_HOSTS_MAX - this.draft.hosts.size)
    if (!pattern) {
      const what = { en: `"${written.slice(0, 80)}" is not a host`, zh: `“${written.slice(0, 80)}”不是有效的主机` }
      this.faults.push({ code: 'ANSIBLE_HOST', place, what, next: { en: 'write a name, ranges as web[01:50]', zh: '应写成名称，范围写成 web[01:50]' } })
      return
    }
    const variables = new Map<string, string>(pattern.port === undefined ? [] : [['ansible_port', pattern.port]])
    const map = this.#mapOf(node, { en: `host "${written}"`, zh: `主机“${written}”` })
    for (const [key, entry] of map?.entries ?? []) variables.set(key, textOf(entry.value))
    for (const name of pattern.names) this.draft.addHost(group, name, variables, place)
  }

  /** Nothing written is an empty block. */
  #mapOf(node: LocatedNode, name: Text): LocatedMap | undefined {
    if (node.kind === 'map') return node
    return node.kind === 'scalar' && node.value === null ? undefined : this.refuseShape(node, name)
  }

  #refuseKey(key: string, keyAt: number): undefined {
    const guess = nearest(key, GROUP_KEYS)
    const next = guess === undefined ? { en: `known here: ${GROUP_KEYS.join(', ')}`, zh: `此处可用的键：${GROUP_KEYS.join('、')}` } : { en: `did you mean "${guess}"?`, zh: `是否想写“${guess}”？` }
    this.faults.push({ code: 'ANSIBLE_UNKNOWN_KEY', place: this.#placeAt(keyAt), what: { en: `"${key}" is not known in a group`, zh: `组中没有“${key}”这个键` }, next })
    return undefined
  }
}

/** Of variables only single values are used here; lists and maps read as nothing. */
const textOf = (node: LocatedNode): string => (node.kind === 'scalar' && node.value !== null ? String(node.value) : '')
