import { simStore } from '@portcullis/sim/store.ts'
import { describeStore } from './storeSuite.ts'

describeStore('in memory', async () => simStore())
