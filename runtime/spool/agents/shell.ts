// The prompt reaches an agent as a file: an argument may hold 128 KiB at most, and one that starts with a hyphen or an
// at sign is taken for something else. The shell's text is fixed; whatever a user wrote goes as arguments behind it.
import type { Profile } from './profile.ts'

/** Below the sandbox's home. */
export const promptPath = '.treadle/prompt.md'

/** Runs a program with the prompt; output and errors stay on the terminal. */
export function withPrompt({ prompt, tokenVariable }: Profile, argv: string[]): string[] {
  const move = tokenVariable
    ? `export ${tokenVariable}="$TREADLE_TOKEN"; unset TREADLE_TOKEN; `
    : ''
  const sign = prompt === 'on its input' ? '< ' : ''
  return ['/bin/sh', '-c', `${move}exec "$@" ${sign}"$HOME/${promptPath}"`, 'agent', ...argv]
}
