import { expect, test } from 'vitest'
import { GroupCommit } from './groupCommit.ts'

/** A server that takes a while, numbers what it is given, and remembers what came together. */
function openServer(isRefused: (entry: string) => boolean = () => false) {
  const groups: string[][] = []
  let last = 0
  const write = async (entries: readonly string[]): Promise<string[]> => {
    groups.push([...entries])
    await new Promise((resolve) => setTimeout(resolve, 5))
    if (entries.includes('gone')) throw new Error('gone')
    if (entries.some(isRefused)) throw new Error('refused')
    return entries.map((entry) => `${entry} ${++last}`)
  }
  const isOfOneEntry = (error: unknown): boolean => (error as Error).message === 'refused'
  return { groups, commit: new GroupCommit(write, isOfOneEntry, 3) }
}

const told = async (answers: readonly Promise<string>[]): Promise<string[]> => (await Promise.allSettled(answers)).map((one) => (one.status === 'fulfilled' ? one.value : (one.reason as Error).message))

test('what comes while a write is under way goes together, at most so much, in its order, and each hears of its own', async () => {
  const { groups, commit } = openServer()
  expect(await told(['a', 'b', 'c', 'd', 'e'].map((entry) => commit.add(entry)))).toEqual(['a 1', 'b 2', 'c 3', 'd 4', 'e 5'])
  expect(groups).toEqual([['a'], ['b', 'c', 'd'], ['e']])
  expect(await told([commit.add('f')])).toEqual(['f 6'])
})

test('an entry that is refused fails nobody else', async () => {
  const { groups, commit } = openServer((entry) => entry === 'bad')
  expect(await told(['a', 'b', 'bad', 'c'].map((entry) => commit.add(entry)))).toEqual(['a 1', 'b 2', 'refused', 'c 3'])
  expect(groups).toEqual([['a'], ['b', 'bad', 'c'], ['b'], ['bad'], ['c']])
})

test('a server that is gone is told to all who waited for that write, and asked again by the next', async () => {
  const { commit } = openServer()
  expect(await told(['a', 'gone', 'b', 'c', 'd'].map((entry) => commit.add(entry)))).toEqual(['a 1', 'gone', 'gone', 'gone', 'd 2'])
})
