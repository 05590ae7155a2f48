/** What one command offers to complete. */
export interface Completion {
  readonly name: string
  readonly summary: string
  readonly options: readonly string[]
  /** What its argument can be, where that is a closed list. */
  readonly values: readonly string[]
}

export const completionScript = (shell: 'bash' | 'zsh' | 'fish', commands: readonly Completion[]): string => SCRIPTS[shell](commands)

const SCRIPTS = { bash: bashScript, zsh: zshScript, fish: fishScript } as const

function bashScript(commands: readonly Completion[]): string {
  const cases = commands.map(({ name, options, values }) => `    "${name}"*) words="${[...values, ...options].join(' ')}" ;;`)
  return `# bash completion for portcullis
_portcullis() {
  local typed="\${COMP_WORDS[*]:1:COMP_CWORD-1}" words
  case "$typed" in
${cases.join('\n')}
${groupsOf(commands).map(([group, members]) => `    "${group}") words="${members.join(' ')}" ;;`).join('\n')}
    *) words="${firstWords(commands).join(' ')} --help --version" ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _portcullis portcullis
`
}

/** zsh runs bash completions through bashcompinit (zshcompsys(1)). */
function zshScript(commands: readonly Completion[]): string {
  return `#compdef portcullis
autoload -U +X bashcompinit && bashcompinit
${bashScript(commands)}`
}

function fishScript(commands: readonly Completion[]): string {
  const lines = commands.flatMap(({ name, summary, options, values }) => {
    const [first = '', second] = name.split(' ')
    const called = second === undefined ? `__fish_seen_subcommand_from ${first}` : `__fish_seen_subcommand_from ${first}; and __fish_seen_subcommand_from ${second}`
    const offered = second === undefined ? '__fish_use_subcommand' : `__fish_seen_subcommand_from ${first}`
    return [
      `complete -c portcullis -n '${offered}' -f -a ${second ?? first} -d ${quote(summary)}`,
      ...options.map((option) => `complete -c portcullis -n '${called}' -l ${option.replace(/^--/, '')}`),
      ...(values.length === 0 ? [] : [`complete -c portcullis -n '${called}' -f -a ${quote(values.join(' '))}`]),
    ]
  })
  const groups = groupsOf(commands).map(([group]) => `complete -c portcullis -n __fish_use_subcommand -f -a ${group}`)
  const own = ['help', 'version'].map((option) => `complete -c portcullis -n __fish_use_subcommand -l ${option}`)
  return `# fish completion for portcullis\n${[...own, ...groups, ...lines].join('\n')}\n`
}

const quote = (text: string): string => `'${text.replaceAll("'", String.raw`\'`)}'`

const firstWords = (commands: readonly Completion[]): string[] => [...new Set(commands.map(({ name }) => name.split(' ')[0] ?? ''))]

function groupsOf(commands: readonly Completion[]): [string, string[]][] {
  const pairs = commands.map(({ name }) => name.split(' ')).filter((words) => words.length === 2)
  return [...Map.groupBy(pairs, ([group = '']) => group)].map(([group, members]) => [group, members.map(([, member = '']) => member)])
}
