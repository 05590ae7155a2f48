import { expect, test } from 'vitest'
import { identifyPeers } from './peerLab.ts'

test('every daemon that setup installs is named on its usual port and on that of something else, none wrongly', async () => {
  const { verdicts, absent } = await identifyPeers(({ isInSetup }) => isInSetup === true)
  expect(absent).toEqual([])
  expect(verdicts.filter(({ verdict }) => verdict !== 'right')).toEqual([])
  expect(verdicts.length).toBeGreaterThan(20)
}, 600_000)
