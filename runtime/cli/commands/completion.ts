import { readFileSync } from 'node:fs'
import type { SubCommand } from '../command.ts'

const shells = ['bash', 'zsh', 'fish'] as const

export const completion: SubCommand = {
  name: 'completion',
  args: '<shell>',
  summary: 'Print what makes a shell complete this command.',
  details:
    'Tab then completes commands, options and their values, and asks the running instance for ids. The shell must find treadle in its PATH.',
  examples: [
    ['completion bash >> ~/.bashrc', 'for bash, from the next one on'],
    ['completion zsh > ~/.zfunc/_treadle', 'for zsh, in a folder of its fpath'],
    ['completion fish > ~/.config/fish/completions/treadle.fish', 'for fish'],
  ],
  options(command) {
    command.registeredArguments[0]!.choices(shells)
    return command
  },
  async run({ out, stdout }, [shell]) {
    const url = new URL(`../complete/treadle.${shell}`, import.meta.url)
    const script = readFileSync(url, 'utf8')
    if (out.isJson) out.show({ shell, script }, () => [])
    else stdout.write(script)
    return 0
  },
}
