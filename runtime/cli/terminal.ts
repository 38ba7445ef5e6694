import { hasColours } from './colours.ts'
import type { Terminal } from './command.ts'

type Env = Readonly<NodeJS.ProcessEnv>

export const findTerminal = (env: Env, isTerminal: boolean): Terminal => ({
  term: isTerminal ? (env.TERM ?? '') : '',
  isUnicode: isUnicode(env),
  hasColours: hasColours(env, isTerminal),
})

/** The Linux console has UTF-8, but a font of 512 signs. The first variable that is set counts: POSIX, 8.2. */
const isUnicode = ({ LC_ALL, LC_CTYPE, LANG, TERM }: Env) =>
  TERM !== 'linux' && /utf-?8/i.test(LC_ALL || LC_CTYPE || LANG || '')
