import type { Text } from '@portcullis/core/fault/fault.ts'

/** Text of any origin, safe between tags and in quoted attributes. */
export const escape = (text: string): string => text.replaceAll(/[&<>"']/g, (character) => `&#${character.codePointAt(0)};`)

/** Both languages stand in the page, and its style shows one. */
export const both = ({ en, zh }: Text): string => `<span lang="en">${escape(en)}</span><span lang="zh-CN">${escape(zh)}</span>`

export const tag = (name: string, className: string, content: string): string => `<${name}${className === '' ? '' : ` class="${className}"`}>${content}</${name}>`

/** `1 234 567`: thin spaces, which both languages read. */
export const grouped = (amount: number): string => String(amount).replaceAll(/\B(?=(\d{3})+$)/g, '\u2009')
