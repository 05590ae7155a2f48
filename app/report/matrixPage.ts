import type { Text } from '@portcullis/core/fault/fault.ts'
import { isInternal, type MatrixRow } from '@portcullis/core/inventory/matrix.ts'
import { formatInstant } from '@portcullis/core/inventory/matrixText.ts'
import { risksOf, type EndpointRisk } from '@portcullis/core/inventory/risk.ts'
import { closable } from './closable.ts'
import { contradictionList, endpointName } from './contradictionList.ts'
import { exposure, isUnneeded } from './exposure.ts'
import { both, grouped, tag } from './markup.ts'
import { MATRIX_STYLE } from './matrixStyle.ts'
import { matrixTable } from './matrixTable.ts'
import { page, pageHeader, section, tile, type Mood, type PageLanguage } from './page.ts'
import { unknownList, unknownsOf, type Unknowns } from './unknowns.ts'

export interface MatrixPageInput {
  readonly rows: readonly MatrixRow[]
  readonly hosts: number
  /** Hosts of the policy of which no observation is there. */
  readonly unseenHosts: readonly string[]
  readonly at: number
  /** From when on observations were taken into account. */
  readonly since: number
  /** Shown first; the reader can change it. */
  readonly language: PageLanguage
}

const TITLE: Text = { en: 'What stands open, and why', zh: '哪些端口开放，为何开放' }

/** The port matrix for people who decide: what stands open and why, what can be closed, what does not fit, what nobody knows. */
export function matrixPage({ rows, hosts, unseenHosts, at, since, language }: MatrixPageInput): string {
  // What a host says to itself is no exposure, and nobody watches it.
  const reached = rows.filter((row) => !isInternal(row.addressClass))
  const risks = risksOf(reached)
  const unknowns = unknownsOf(reached, unseenHosts, risks.filter(({ unknownTo }) => unknownTo.length > 0).length)
  const sections = [
    pageHeader({
      title: TITLE,
      lead: { en: `${grouped(hosts)} ${hosts === 1 ? 'server' : 'servers'}: who listens, who can reach it, who used it, and which need it serves.`, zh: `${grouped(hosts)} 台服务器：谁在监听、谁可达、谁在使用、服务于哪项业务需求。` },
      at,
      verdict: verdictOf(risks, unknowns),
    }),
    tiles(rows, risks, unknowns),
    section({ en: 'Exposure by risk', zh: '按风险划分的暴露面' }, exposure(risks)),
    section({ en: 'What can be closed first', zh: '优先收敛的端点' }, closable(risks), ''),
    section({ en: 'What does not fit together', zh: '相互矛盾的观测' }, contradictionList(rows), ''),
    section({ en: 'What is still unknown', zh: '仍属未知' }, unknownList(unknowns)),
    section({ en: 'The port matrix', zh: '端口状态矩阵' }, matrixTable(reached, risks), ''),
    footer(rows.length, at, since),
  ]
  return page({ title: TITLE, language, at, sections, style: MATRIX_STYLE })
}

/** Nothing found open is good news only where everything was looked at. */
function verdictOf(risks: readonly EndpointRisk[], { untried, unseenHosts }: Unknowns): { mood: Mood; text: Text } {
  const unneeded = risks.filter(isUnneeded).length
  const high = risks.filter(({ level }) => level === 'high').length
  if (unneeded > 0) {
    return {
      mood: 'bad',
      text: {
        en: `${grouped(unneeded)} ${unneeded === 1 ? 'endpoint is' : 'endpoints are'} open to zones that no need lets in${high === 0 ? '' : `, ${grouped(high)} at high risk`}`,
        zh: `${grouped(unneeded)} 个端点向无业务需求的区域开放${high === 0 ? '' : `，其中 ${grouped(high)} 个为高风险`}`,
      },
    }
  }
  if (risks.length > 0 && untried + unseenHosts.length === 0) return { mood: 'good', text: { en: 'Nothing was found open that no need asks for', zh: '未发现无业务需求的开放端口' } }
  return { mood: 'unsure', text: { en: 'Nothing was found open that no need asks for, but not everything was looked at', zh: '未发现无业务需求的开放端口，但并非全部已探测' } }
}

function tiles(rows: readonly MatrixRow[], risks: readonly EndpointRisk[], { untried, unseenHosts }: Unknowns): string {
  const open = risks.filter(({ openTo }) => openTo.length > 0)
  const unneeded = open.filter(isUnneeded)
  const unused = unneeded.filter(({ unneededUse }) => unneededUse === 'unused').length
  const odd = new Set(rows.filter((row) => row.contradictions.length > 0).map(endpointName)).size
  const unseen = unseenHosts.length
  return tag(
    'div',
    'tiles',
    [
      tile('plain', { en: 'Open endpoints', zh: '开放端点' }, grouped(open.length), { en: `of ${grouped(risks.length)} that are known`, zh: `已知端点共 ${grouped(risks.length)} 个` }),
      tile(unneeded.length === 0 ? 'plain' : 'bad', { en: 'Open without a need', zh: '开放但无业务需求' }, grouped(unneeded.length), { en: `${grouped(unused)} of them watched and not used`, zh: `其中 ${grouped(unused)} 个已观测且未使用` }),
      tile(odd === 0 ? 'plain' : 'unsure', { en: 'Contradictions', zh: '矛盾' }, grouped(odd), { en: 'endpoints of which observations do not fit together', zh: '个端点的观测相互矛盾' }),
      tile(untried + unseen === 0 ? 'plain' : 'unsure', { en: 'Still unknown', zh: '仍属未知' }, grouped(untried), {
        en: `endpoints that were not tried from every zone${unseen === 0 ? '' : `; ${grouped(unseen)} ${unseen === 1 ? 'server' : 'servers'} not observed`}`,
        zh: `个端点未从每个区域探测${unseen === 0 ? '' : `；${grouped(unseen)} 台服务器未观测`}`,
      }),
    ].join(''),
  )
}

const footer = (rows: number, at: number, since: number): string =>
  `<footer>${grouped(rows)} ${both({ en: 'rows of the matrix', zh: '行（端口状态矩阵）' })} · ${both({ en: 'observations since', zh: '观测起始' })} ${formatInstant(since).slice(0, 10)} · ${formatInstant(at)} · ${both({ en: 'The level of risk orders the work; it is no measure of damage.', zh: '风险等级用于排定工作顺序，不代表损失大小。' })}</footer>`
