import { Argument, Command } from 'commander'
import { COMMANDS } from '../catalogue.ts'
import { examples, outputOptions, type CommandModule } from '../command.ts'
import { completionScript, type Completion } from '../completion.ts'
import { EXIT } from '../exitCode.ts'

export const define: CommandModule['define'] = (command, { text, run }) => {
  command.addArgument(new Argument('<shell>', text({ en: 'which shell', zh: '哪种 shell' })).choices(['bash', 'zsh', 'fish']))
  examples(command, text, [
    ['source <(portcullis completion bash)', { en: 'in ~/.bashrc', zh: '写入 ~/.bashrc' }],
    ['portcullis completion zsh > "${fpath[1]}/_portcullis"', { en: 'once', zh: '执行一次即可' }],
    ['portcullis completion fish > ~/.config/fish/completions/portcullis.fish', { en: 'once', zh: '执行一次即可' }],
  ])
  run(async (cli, _, [shell]) => {
    const all = await Promise.all(COMMANDS.map(async (entry) => completionOf(entry.name, entry.summary[cli.language], await entry.load())))
    cli.out(completionScript(shell as 'bash' | 'zsh' | 'fish', all))
    return EXIT.ok
  })
}

function completionOf(name: string, summary: string, module: CommandModule): Completion {
  const command = new Command(name)
  module.define(command, { text: (words) => words.en, run: () => undefined })
  outputOptions(command, (words) => words.en)
  return { name, summary, options: command.options.flatMap((option) => option.long ?? []), values: command.registeredArguments.flatMap((argument) => argument.argChoices ?? []) }
}
