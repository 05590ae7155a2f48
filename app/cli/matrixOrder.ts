import type { MatrixRow } from '@portcullis/core/inventory/matrix.ts'
import { risksOf } from '@portcullis/core/inventory/risk.ts'

export const MATRIX_ORDERS = ['host', 'port', 'risk', 'connections', 'last-used'] as const
export type MatrixOrder = (typeof MATRIX_ORDERS)[number]

/** Rows of one endpoint stay together under `host`, `port` and `risk`; rows that are equal keep the order of the matrix. */
export function sortRows(rows: MatrixRow[], order: MatrixOrder): MatrixRow[] {
  switch (order) {
    case 'host':
      return rows
    case 'port':
      return rows.toSorted((a, b) => a.port - b.port || (a.host < b.host ? -1 : a.host > b.host ? 1 : 0))
    case 'risk': {
      const points = new Map(risksOf(rows).map((risk) => [keyOf(risk), risk.points]))
      return rows.toSorted((a, b) => (points.get(keyOf(b)) ?? 0) - (points.get(keyOf(a)) ?? 0))
    }
    case 'connections':
      return rows.toSorted((a, b) => used(b).connections - used(a).connections)
    case 'last-used':
      return rows.toSorted((a, b) => used(b).lastSeen - used(a).lastSeen)
  }
}

const keyOf = ({ host, protocol, port }: Pick<MatrixRow, 'host' | 'protocol' | 'port'>): string => `${host} ${protocol} ${port}`

const used = (row: MatrixRow): { connections: number; lastSeen: number } => (row.used.kind === 'used' ? row.used : { connections: -1, lastSeen: -1 })
