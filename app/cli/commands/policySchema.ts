import type { CommandModule } from '../command.ts'
import { examples } from '../command.ts'
import { EXIT } from '../exitCode.ts'

export const define: CommandModule['define'] = (command, { text, run }) => {
  examples(command, text, [
    ['portcullis policy schema > portcullis.schema.json', { en: 'then "# yaml-language-server: $schema=…" in the file', zh: '然后在文件中写 "# yaml-language-server: $schema=…"' }],
  ])
  run(async (cli) => {
    cli.out(await cli.doors.policySchema())
    return EXIT.ok
  })
}
