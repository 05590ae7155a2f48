import { Document, isMap, isSeq, parseDocument, YAMLMap, YAMLSeq, type Node } from 'yaml'
import { succeed, type Result } from '@portcullis/core/fault/fault.ts'
import { deriveNeedId } from '@portcullis/core/policy/needId.ts'
import type { Selector } from '@portcullis/core/policy/policy.ts'
import type { PolicyFragment } from './fragment.ts'
import type { HostEntry, NeedEntry } from './schema.ts'
import { readYaml } from './yamlReader.ts'

/**
 * A policy file that says what the fragment says. With an existing text, its comments and all that the fragment does not mention
 * stay; hosts, zones and services are matched by name, needs by id, and only the keys that the fragment states are changed.
 * Faults: those of `readYaml` for the existing text.
 */
export function renderPolicyFile(fragment: PolicyFragment, existing = '', file = 'portcullis.yaml'): Result<string> {
  const isBlank = existing.replaceAll(/^\s*(?:#.*)?$/gm, '') === ''
  const readable = isBlank ? undefined : readYaml(existing, file)
  if (readable && !readable.ok) return readable
  const document = parseDocument(existing, { stringKeys: true, uniqueKeys: false })
  if (!isMap(document.contents)) document.contents = asContents(document.createNode({}))
  const root = document.contents as YAMLMap
  if (!root.has('version')) root.set('version', 1)
  mergeDefaults(document, root, fragment)
  mergeFleet(document, root, fragment)
  if (fragment.needs) mergeNeeds(document, root, fragment.needs)
  return succeed(document.toString({ lineWidth: 0, flowCollectionPadding: false, indentSeq: !/^needs:[^\n]*\n- /m.test(existing) }))
}

const asContents = (node: Node): Document.Parsed['contents'] => node as Document.Parsed['contents']

function mergeDefaults(document: Document, root: YAMLMap, { defaults, zones, services }: PolicyFragment): void {
  if (defaults) mergeKeys(document, section(document, root, 'defaults'), defaults)
  for (const [name, sections] of [['zones', zones], ['services', services]] as const) {
    if (!sections) continue
    const map = section(document, root, name)
    for (const [key, value] of Object.entries(sections)) setEntry(document, map, key, value)
  }
}

function mergeFleet(document: Document, root: YAMLMap, { fleet }: PolicyFragment): void {
  if (!fleet && root.has('fleet')) return
  const fleetMap = section(document, root, 'fleet')
  if (fleet?.ssh) mergeKeys(document, section(document, fleetMap, 'ssh'), fleet.ssh)
  const hosts = section(document, fleetMap, 'hosts')
  const names = indexOf(hosts)
  for (const [name, entry] of Object.entries(fleet?.hosts ?? {})) {
    const existing = names.get(name)
    if (isMap(existing)) mergeHost(document, existing, entry)
    else hosts.add(document.createPair(name, entryNode(document, entry, false)))
  }
}

/** Labels are merged one by one: those that a person added beside the imported ones stay. */
function mergeHost(document: Document, host: YAMLMap, { labels, ...rest }: HostEntry): void {
  mergeKeys(document, host, rest)
  const written = host.get('labels')
  if (labels && isMap(written)) mergeKeys(document, written, labels)
  else if (labels) mergeKeys(document, host, { labels })
}

function mergeNeeds(document: Document, root: YAMLMap, needs: readonly NeedEntry[]): void {
  const written = root.get('needs')
  const list = isSeq(written) ? written : new YAMLSeq(document.schema)
  if (list !== written) addSection(document, root, 'needs', list)
  if (list.items.length === 0) list.flow = false
  const known = new Map(list.items.map((item) => [isMap(item) ? idOf(item.toJSON() as NeedEntry) : '', item]))
  for (const need of needs) {
    const existing = known.get(idOf(need))
    if (isMap(existing)) mergeKeys(document, existing, need)
    else list.add(needNode(document, need, list.items.length > 0))
  }
}

function needNode(document: Document, need: NeedEntry, isLater: boolean): Node {
  const node = entryNode(document, need, false)
  node.spaceBefore = isLater
  return node
}

function idOf({ id, service, to, from }: NeedEntry): string {
  return id ?? deriveNeedId(service, selectorOf(to), typeof from === 'string' ? [from] : from)
}

function selectorOf(to: NeedEntry['to']): Selector {
  if (to === 'all') return { kind: 'all' }
  if (typeof to === 'string') return { kind: 'names', names: [to] }
  if (Array.isArray(to)) return { kind: 'names', names: to }
  const labels = Object.entries(to).map(([label, value]) => [label, (Array.isArray(value) ? value : [value]).map(String)] as const)
  return { kind: 'labels', labels: Object.fromEntries(labels) }
}

function section(document: Document, around: YAMLMap, key: string): YAMLMap {
  const written = around.get(key)
  if (isMap(written)) {
    // `hosts: {}` as a placeholder would go on as one endless line.
    if (written.items.length === 0) written.flow = false
    return written
  }
  const map = new YAMLMap(document.schema)
  addSection(document, around, key, map)
  return map
}

function addSection(document: Document, around: YAMLMap, key: string, value: YAMLMap | YAMLSeq): void {
  if (around.has(key)) {
    around.set(key, value)
    return
  }
  const pair = document.createPair(key, value)
  if (around === document.contents) pair.key.spaceBefore = true
  around.add(pair)
}

function mergeKeys(document: Document, map: YAMLMap, entry: object): void {
  for (const [key, value] of Object.entries(entry)) if (value !== undefined) setEntry(document, map, key, value)
}

function setEntry(document: Document, map: YAMLMap, key: string, value: unknown): void {
  const written = map.get(key, true) as Node | undefined
  // What already says the same keeps its comments, quotes and line breaks.
  if (written && comparable(written.toJS(document)) === comparable(value)) return
  const node = entryNode(document, value, true)
  if (written?.comment) node.comment = written.comment
  map.set(map.has(key) ? key : document.createNode(key), node)
}

/** A value and a list of only it mean the same. */
const comparable = (value: unknown): string => JSON.stringify(Array.isArray(value) && value.length === 1 ? value[0] : value)

/** Blocks for hosts and needs, one line for what stands in them. */
function entryNode(document: Document, value: unknown, isInline: boolean): Node {
  const node = document.createNode(value) as Node
  if (isMap(node)) for (const pair of node.items) if (isMap(pair.value) || isSeq(pair.value)) pair.value.flow = true
  if (isInline && (isMap(node) || isSeq(node))) node.flow = true
  return node
}

const indexOf = (map: YAMLMap): Map<string, unknown> => new Map(map.items.map((pair) => [String((pair.key as { value?: unknown }).value), pair.value]))
