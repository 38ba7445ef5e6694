// The prompt reaches an agent as a file: an argument may hold 128 KiB at most, and one that starts with a hyphen or an
// at sign is taken for something else. The shell's text is fixed; whatever a user wrote goes as arguments behind it.

/** Below the sandbox's home. */
export const promptPath = '.treadle/prompt.md'

/** Runs a program with the prompt on its standard input; output and errors stay on the terminal. */
export const withPromptAsInput = (...argv: string[]): string[] => [
  '/bin/sh',
  '-c',
  `exec "$@" < "$HOME/${promptPath}"`,
  'agent',
  ...argv,
]

/** Runs a program with the prompt's path as its last argument. */
export const withPromptFile = (...argv: string[]): string[] => [
  '/bin/sh',
  '-c',
  `exec "$@" "$HOME/${promptPath}"`,
  'agent',
  ...argv,
]
