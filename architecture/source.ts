import { readFileSync, readdirSync } from 'node:fs'
import { dirname, join, normalize, relative } from 'node:path'
import { parseSync, Visitor } from 'oxc-parser'

const ROOT = join(import.meta.dirname, '..')
const WORKSPACES = ['core', 'engine', 'adapters', 'app', 'console', 'sim', 'lab', 'bench', 'fuzz', 'architecture']

/** One TypeScript file of the repository, with what the architecture is about: its imports, its functions, its ambient reads. */
export interface Source {
  /** Relative to the root, with forward slashes. */
  readonly path: string
  /** Test files, and the fixtures of lab tests that stand in a `lab` folder beside them. */
  readonly isTest: boolean
  readonly imports: readonly string[]
  readonly functions: readonly FunctionSize[]
  /** Reads of the clock and of chance, as `line: text`. */
  readonly ambient: readonly string[]
}

export interface FunctionSize {
  readonly name: string
  readonly line: number
  readonly lines: number
}

export const readSources = (): readonly Source[] => WORKSPACES.flatMap((workspace) => filesBelow(workspace)).map(readSource)

function filesBelow(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.tsx?$/.test(entry.name) && !entry.parentPath.includes('node_modules'))
    .map((entry) => relative(ROOT, join(entry.parentPath, entry.name)))
    .toSorted()
}

function readSource(path: string): Source {
  const text = readFileSync(join(ROOT, path), 'utf8')
  const parsed = parseSync(path, text)
  const lineAt = lineFinder(text)
  const module = parsed.module
  const specifiers = [
    ...module.staticImports.map((item) => item.moduleRequest.value),
    ...module.staticExports.flatMap((item) => item.entries.flatMap((entry) => entry.moduleRequest?.value ?? [])),
    ...module.dynamicImports.map((item) => text.slice(item.moduleRequest.start + 1, item.moduleRequest.end - 1)),
  ]
  const functions: FunctionSize[] = []
  const ambient: string[] = []
  const measure = (node: { start: number; end: number; id?: { name: string } | null }): void => {
    const line = lineAt(node.start)
    functions.push({ name: node.id?.name ?? text.slice(node.start, node.start + 40), line, lines: lineAt(node.end - 1) - line + 1 })
  }
  const note = (node: { start: number; end: number }): void => {
    ambient.push(`${lineAt(node.start)}: ${text.slice(node.start, node.end)}`)
  }
  new Visitor({
    FunctionDeclaration: measure,
    FunctionExpression: measure,
    ArrowFunctionExpression: measure,
    MemberExpression: (node) => {
      if (/^(?:Date\.now|Math\.random|performance\.now|crypto\.\w+)$/.test(text.slice(node.start, node.end))) note(node)
    },
    NewExpression: (node) => {
      if (node.arguments.length === 0 && text.slice(node.callee.start, node.callee.end) === 'Date') note(node)
    },
  }).visit(parsed.program)
  return { path, isTest: /\.(?:test|lab)\.ts$|^(?!lab\/).*\/lab\//.test(path), imports: specifiers.map((specifier) => resolve(path, specifier)), functions, ambient }
}

/** A path relative to the root for our own modules, the bare specifier for a package. */
function resolve(path: string, specifier: string): string {
  if (specifier.startsWith('.')) return normalize(join(dirname(path), specifier))
  return specifier.replace(/^@portcullis\//, '')
}

function lineFinder(text: string): (offset: number) => number {
  const starts = [0, ...[...text.matchAll(/\n/g)].map((match) => match.index + 1)]
  return (offset) => {
    let low = 0
    let high = starts.length
    while (high - low > 1) {
      const middle = (low + high) >> 1
      if ((starts[middle] ?? 0) <= offset) low = middle
      else high = middle
    }
    return low + 1
  }
}
