import type { Contradiction } from './contradiction.ts'
import type { MatrixRow } from './matrix.ts'

/** What is different in a row between two times. Counts and times that only went on are no difference. */
export interface RowChange {
  /** As it is now; as it was, where it is gone. */
  readonly row: MatrixRow
  readonly kind: 'appeared' | 'gone' | 'changed'
  readonly fields: readonly FieldChange[]
}

export interface FieldChange {
  readonly field: 'listening' | 'reachable' | 'used' | 'needs' | 'published' | 'fingerprint' | 'documented' | 'contradictions'
  readonly before: string
  readonly after: string
}

/** Both sorted as `foldMatrix` gives them, by a common key; O(rows). What did not change is left out. */
export function* diffMatrix(before: Iterable<MatrixRow>, after: Iterable<MatrixRow>): Generator<RowChange, void, undefined> {
  const old = new Map<string, MatrixRow>()
  for (const row of before) old.set(keyOf(row), row)
  for (const row of after) {
    const was = old.get(keyOf(row))
    old.delete(keyOf(row))
    const fields = changesBetween(was, row)
    if (!was) yield { row, kind: 'appeared', fields }
    else if (fields.length > 0) yield { row, kind: 'changed', fields }
  }
  for (const row of old.values()) yield { row, kind: 'gone', fields: changesBetween(row, undefined) }
}

const keyOf = (row: MatrixRow): string => `${row.host}\0${row.protocol}\0${row.port}\0${row.addressClass}\0${row.zone}`

const FIELDS: Readonly<Record<FieldChange['field'], (row: MatrixRow) => string>> = {
  listening: (row) => listeningWords(row),
  reachable: (row) => row.reachable.state,
  used: (row) => row.used.kind,
  needs: (row) => (row.needs ?? []).map(({ id, covers }) => (covers === 'all' ? id : `${id}*`)).join(' '),
  published: (row) => row.published.map(({ target }) => target).join(' '),
  fingerprint: (row) => row.fingerprint ?? '',
  documented: (row) => (row.documented ?? []).map(({ name }) => name).join(' '),
  contradictions: (row) => row.contradictions.map(({ kind }: Contradiction) => kind).join(' '),
}

function changesBetween(before: MatrixRow | undefined, after: MatrixRow | undefined): FieldChange[] {
  return (Object.keys(FIELDS) as FieldChange['field'][]).flatMap((field) => {
    const [was, is] = [before, after].map((row) => (row ? FIELDS[field](row) : ''))
    return was === undefined || is === undefined || was === is ? [] : [{ field, before: was, after: is }]
  })
}

/** Who listens, not since when: a process that was restarted is no change. */
function listeningWords({ listening }: MatrixRow): string {
  if (listening.kind !== 'seen' && listening.kind !== 'gone') return listening.kind
  const names = [...new Set(listening.listeners.map(({ process, unit }) => process ?? unit ?? '?'))].toSorted().join(' ')
  return listening.kind === 'seen' ? names : `gone ${names}`
}
