import * as fc from 'fast-check'
import { SaxesParser } from 'saxes'
import { describe, expect, test } from 'vitest'
import { XmlTokens } from './xmlTokens.ts'

type Heard = readonly string[] | 'refused'

function ours(text: string, size = text.length): Heard {
  const heard: string[] = []
  const open: string[] = []
  const refused = new Error('refused')
  const tokens = new XmlTokens({
    open: (name, attributes) => {
      open.push(name)
      heard.push(`<${name} ${JSON.stringify({ ...attributes })}`)
    },
    close: (name) => {
      if (open.pop() !== name) throw refused
      heard.push(`/${name}`)
    },
    text: (words) => void heard.push(words),
    refuse: () => {
      throw refused
    },
  })
  try {
    for (let at = 0; at < text.length; at += size) tokens.write(text.slice(at, at + size))
  } catch (error) {
    if (error !== refused) throw error
    return 'refused'
  }
  return tokens.isAtRest && open.length === 0 ? joined(heard) : 'refused'
}

/** A general parser that others have tested: whatever we accept, it must read the same. */
function theirs(text: string): Heard {
  const heard: string[] = []
  let isRefused = false
  const parser = new SaxesParser()
  parser.on('error', () => (isRefused = true))
  parser.on('opentag', ({ name, attributes }) => heard.push(`<${name} ${JSON.stringify(attributes)}`))
  parser.on('closetag', ({ name }) => heard.push(`/${name}`))
  parser.on('text', (words) => heard.push(words))
  parser.on('cdata', (words) => heard.push(words))
  parser.write(text).close()
  return isRefused ? 'refused' : joined(heard)
}

/** Blank text is not heard by us, and neither says where text is cut. */
const joined = (heard: readonly string[]): string[] => heard.filter((each) => each.trim() !== '')

describe('XML as tokens', () => {
  test.each<[text: string, heard: Heard]>([
    ['<a/>', ['<a {}', '/a']],
    ['<a b="1" c=\'2\'>x</a>', ['<a {"b":"1","c":"2"}', 'x', '/a']],
    ['<a b="&lt;&#65;&#x42;&amp;"/>', ['<a {"b":"<AB&"}', '/a']],
    ['<!-- > --><?x > ?><a><![CDATA[<b>]]></a>', ['<a {}', '<b>', '/a']],
    ['<a b=">"/>', ['<a {"b":">"}', '/a']],
    ['<a', 'refused'],
    ['<a b=1/>', 'refused'],
    ['<a b="1"c="2"/>', 'refused'],
    ['<a b="1" b="2"/>', 'refused'],
    ['<a b="<"/>', 'refused'],
    ['<a>&b;</a>', 'refused'],
    ['<a>&</a>', 'refused'],
    ['<a></b>', 'refused'],
    ['<a/><b/>', 'refused'],
    ['x<a/>', 'refused'],
    ['<a/>x<!', 'refused'],
    ['', 'refused'],
  ])('%s', (text, heard) => {
    expect(ours(text)).toEqual(heard)
    expect(ours(text, 1)).toEqual(heard)
  })

  test('what is accepted reads as a general parser reads it', () => {
    const piece = fc.constantFrom('<a>', '</a>', '<b c="1"/>', "<b d='x &gt; y'>", '</b>', 'text', '&amp;', '&#x41;', '<!-- c -->', '<![CDATA[<x>]]>', '<?pi d?>', ' ', '\n', '<', '>', '"', '&', 'e="2"', '<b ', '/>')
    let accepted = 0
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 8 }), fc.integer({ min: 1, max: 9 }), (pieces, size) => {
        const text = `<r>${pieces.join('')}</r>`
        const heard = ours(text, size)
        expect(heard).toEqual(ours(text))
        if (heard === 'refused') return
        accepted += 1
        expect(heard.join('')).toEqual(joined(theirs(text) as readonly string[]).join(''))
      }),
      { numRuns: 3000 },
    )
    expect(accepted).toBeGreaterThan(100)
  })
})
