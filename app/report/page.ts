import type { Text } from '@portcullis/core/fault/fault.ts'
import { both } from './markup.ts'
import { STYLE } from './style.ts'

export type PageLanguage = 'en' | 'zh'

/** A page as one file: no script, nothing loaded from elsewhere, on paper as on a screen, in both languages. */
export const page = ({ title, language, sections, style = '' }: { title: string; language: PageLanguage; sections: readonly string[]; style?: string }): string => `<!doctype html>
<html lang="${language === 'zh' ? 'zh-CN' : 'en'}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${title}</title><style>${STYLE}${style}</style></head><body>
${choice('en', language)}${choice('zh', language)}
<main class="page">${sections.join('\n')}</main></body></html>
`

const choice = (code: PageLanguage, shown: PageLanguage): string =>
  `<input class="choice" type="radio" name="in" id="in-${code}"${code === shown ? ' checked' : ''} aria-label="${code === 'en' ? 'English' : '中文'}">`

export const pageHeader = ({ title, lead, verdict }: { title: Text; lead: Text; verdict: { isGood: boolean; text: Text } }): string =>
  `<header><div><div class="brand">Portcullis</div><h1>${both(title)}</h1>
<p class="lead">${both(lead)}</p>
<div class="verdict ${verdict.isGood ? 'good' : 'bad'}"><span class="mark">${verdict.isGood ? '✓' : '!'}</span>${both(verdict.text)}</div></div>
<div class="languages"><label for="in-en">English</label><label for="in-zh">中文</label></div></header>`

export const section = (title: Text, content: string, className = 'keep'): string => `<section class="${className}"><h2>${both(title)}</h2><div class="card">${content}</div></section>`

/** `figure` is markup. */
export const tile = (isGood: boolean, name: Text, figure: string, note: Text): string =>
  `<div class="tile ${isGood ? 'good' : 'bad'}"><div class="name">${both(name)}</div><div class="figure">${figure}</div><div class="note">${both(note)}</div></div>`
