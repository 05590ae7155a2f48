import type { Text } from '@portcullis/core/fault/fault.ts'
import { formatInstant } from '@portcullis/core/inventory/matrixText.ts'
import { both, escape, tag } from './markup.ts'
import { STYLE } from './style.ts'

export type PageLanguage = 'en' | 'zh'

/** What a figure or a verdict says: `unsure` is what nobody knows, `plain` is neither good nor bad. */
export type Mood = 'good' | 'bad' | 'unsure' | 'plain'

export interface PageInput {
  readonly title: Text
  readonly language: PageLanguage
  readonly at: number
  readonly sections: readonly string[]
  readonly style?: string
}

/** A page as one file: no script, nothing loaded from elsewhere, on paper as on a screen, in both languages. */
export const page = ({ title, language, at, sections, style = '' }: PageInput): string => `<!doctype html>
<html lang="${language === 'zh' ? 'zh-CN' : 'en'}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${escape(title[language])} · ${dayOf(at)}</title><style>${STYLE}${style}${footOfSheets(at)}</style></head><body>
${choice('en', language)}${choice('zh', language)}
<main class="page">${sections.join('\n')}</main></body></html>
`

const dayOf = (at: number): string => formatInstant(at).slice(0, 10)

/** A sheet that is handed on alone still says what it is of, of which day, and which of how many. */
const footOfSheets = (at: number): string => `@page{@bottom-left{content:"Portcullis · ${dayOf(at)}";font:8px sans-serif;color:#566671}@bottom-right{content:counter(page) " / " counter(pages);font:8px sans-serif;color:#566671}}`

const choice = (code: PageLanguage, shown: PageLanguage): string =>
  `<input class="choice" type="radio" name="in" id="in-${code}"${code === shown ? ' checked' : ''} aria-label="${code === 'en' ? 'English' : '中文'}">`

const MARKS: Readonly<Record<Mood, string>> = { good: '✓', bad: '!', unsure: '?', plain: '' }

export const pageHeader = ({ title, lead, at, verdict }: { title: Text; lead: Text; at: number; verdict: { mood: Mood; text: Text } }): string =>
  `<header><div><div class="brand">Portcullis</div><h1>${both(title)}</h1>
<p class="lead">${both(lead)}</p><p class="soft">${both({ en: 'As of', zh: '截至' })} ${minuteOf(at)}</p>
<div class="verdict ${verdict.mood}"><span class="mark" aria-hidden="true">${MARKS[verdict.mood]}</span>${both(verdict.text)}</div></div>
<div class="languages"><label for="in-en">English</label><label for="in-zh">中文</label></div></header>`

const minuteOf = (at: number): string => `<time datetime="${formatInstant(at)}">${formatInstant(at).slice(0, 16).replace('T', ' ')} UTC</time>`

export const section = (title: Text, content: string, className = 'keep'): string => `<section class="${className}"><h2>${both(title)}</h2><div class="card">${content}</div></section>`

export interface TableHead {
  readonly text: Text
  readonly className?: string
}

export const tableHead = (heads: readonly TableHead[]): string => tag('thead', '', tag('tr', '', heads.map(({ text, className }) => `<th scope="col"${className === undefined ? '' : ` class="${className}"`}>${both(text)}</th>`).join('')))

/** `figure` is markup. */
export const tile = (mood: Mood, name: Text, figure: string, note: Text): string =>
  `<div class="tile ${mood}"><div class="name">${both(name)}</div><div class="figure">${figure}</div><div class="note">${both(note)}</div></div>`
