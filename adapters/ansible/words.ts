/**
 * Splits as Python's shlex does, which Ansible uses: quotes, backslashes, no expansion. With `comments`, an unquoted `#` ends the text, even
 * in the middle of a word. Nothing on an open quote.
 */
export function splitWords(text: string, comments: 'comments' | 'no comments'): Word[] | undefined {
  const words: Word[] = []
  let word: { text: string; at: number } | undefined
  let quote = ''
  for (let at = 0; at < text.length; at += 1) {
    const char = text[at] ?? ''
    if (quote === '' && /\s/.test(char)) {
      if (word) words.push(word)
      word = undefined
      continue
    }
    if (quote === '' && char === '#' && comments === 'comments') break
    word ??= { text: '', at }
    if (quote !== '' ? char === quote : char === '"' || char === "'") quote = quote === '' ? char : ''
    else if (char === '\\' && quote !== "'" && at + 1 < text.length) word.text += text[(at += 1)] ?? ''
    else word.text += char
  }
  if (quote !== '') return undefined
  return word ? [...words, word] : words
}

export interface Word {
  readonly text: string
  /** Offset in the text. */
  readonly at: number
}
