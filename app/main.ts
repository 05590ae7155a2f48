import { wiredDoors } from './doors.ts'
import { runMain } from './cli/run.ts'

process.exitCode = await runMain(process.argv.slice(2), wiredDoors())
