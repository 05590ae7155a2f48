import { readFile } from 'node:fs/promises'
import { outJson } from '../cli.ts'
import type { CommandModule } from '../command.ts'
import { EXIT } from '../exitCode.ts'

export const define: CommandModule['define'] = (_, { run }) => {
  run(async (cli) => {
    const { version } = JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }
    if (cli.isJson) outJson(cli, { format: 'portcullis-version', version: 1, portcullis: version, node: process.versions.node, platform: `${process.platform}-${process.arch}` })
    else cli.out(`portcullis ${version} (Node ${process.versions.node}, ${process.platform}-${process.arch})\n`)
    return EXIT.ok
  })
}
