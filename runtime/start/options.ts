import { parseArgs } from 'node:util'
import type { Problem } from '#kernel/parse.ts'
import { type RoleName, roleNames } from '#kernel/tokens.ts'
import { defaultStateFolder } from './state.ts'

export type Options = {
  state: string
  roles: RoleName[]
  environment: string
  /** A YAML file of keys that win over the environment's. */
  config?: string
  port?: number
  proxyPort?: number
  parallel?: number
  /** Connection string with the login and database left to each role; absent = the embedded PostgreSQL. */
  database?: string
  logLevel?: string
  /** Where the shell that started us looks for programs. */
  searchPath?: string
  json: boolean
  demo: boolean
}

export const usage = `Usage: npm start -- [options]

  --state=DIR          where everything is kept (default ${defaultStateFolder(process.getuid?.() ?? 0, {})}, or below your home)
  --role=all|a,b       the roles to run: ${roleNames.join(', ')} (default all)
  --port=N             the front door, on 127.0.0.1 (default 7400; 0 = a free one)
  --proxy-port=N       the LLM proxy, on 127.0.0.1 (default 7401; 0 = a free one)
  --parallel=N         passes at the same time (default 3)
  --environment=NAME   a folder of config/environments (default laptop)
  --config=FILE        a YAML file of keys from config/defaults.yaml; flags win over it, it over the environment
  --database=URL       an existing PostgreSQL, by a superuser's URL, in place of the embedded one
  --no-demo            no rehearsal loops at the first start
  --json               one JSON object a line
  --log-level=LEVEL    of the log file in the state folder: debug, info, warn, error
  --help

Examples
  npm start
  npm start -- --state=/tmp/try --port=0 --proxy-port=0
  npm start --silent -- --json --no-demo
  npm start -- --config=limits.yaml
`

export type ParsedOptions =
  | { kind: 'options'; options: Options }
  | { kind: 'help' }
  | { kind: 'problems'; problems: Problem[] }

type Environment = Readonly<Record<string, string | undefined>>

/** The command line to options, or all that is wrong with it. Pure. */
export function parseOptions(argv: string[], uid: number, environment: Environment): ParsedOptions {
  const { values, problems } = readFlags(argv)
  if (values.help) return { kind: 'help' }
  const number = (name: 'port' | 'proxy-port' | 'parallel', max: number) => {
    const text = values[name]
    if (text === undefined) return undefined
    if (/^\d{1,5}$/.test(text) && Number(text) <= max) return Number(text)
    problems.push({
      path: `--${name}`,
      value: text,
      message: `Give a whole number from 0 to ${max}.`,
    })
    return undefined
  }
  const options: Options = {
    state: values.state ?? defaultStateFolder(uid, environment),
    roles: parseRoles(values.role ?? 'all', problems),
    environment: values.environment ?? 'laptop',
    json: values.json === true,
    demo: values['no-demo'] !== true,
    ...defined('config', values.config),
    ...defined('port', number('port', 65_535)),
    ...defined('proxyPort', number('proxy-port', 65_535)),
    ...defined('parallel', number('parallel', 64)),
    ...defined('database', values.database),
    ...defined('logLevel', values['log-level']),
    ...defined('searchPath', environment['PATH']),
  }
  return problems.length > 0 ? { kind: 'problems', problems } : { kind: 'options', options }
}

const flags = {
  state: { type: 'string' },
  role: { type: 'string' },
  port: { type: 'string' },
  'proxy-port': { type: 'string' },
  parallel: { type: 'string' },
  environment: { type: 'string' },
  config: { type: 'string' },
  database: { type: 'string' },
  'log-level': { type: 'string' },
  'no-demo': { type: 'boolean' },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const

function readFlags(args: string[]) {
  const problems: Problem[] = []
  const { values, tokens } = parseArgs({ args, options: flags, strict: false, tokens: true })
  for (const token of tokens) {
    if (token.kind === 'positional') {
      problems.push({ path: token.value, message: 'Not an option. See --help.' })
    } else if (token.kind === 'option') {
      const known = Object.entries(flags).find(([name]) => name === token.name)?.[1]
      if (!known) problems.push({ path: token.rawName, message: 'No such option. See --help.' })
      else if (known.type === 'string' && !token.value) {
        problems.push({ path: token.rawName, message: `Give a value: ${token.rawName}=VALUE.` })
      }
    }
  }
  return {
    values: values as {
      [N in keyof typeof flags]?: (typeof flags)[N]['type'] extends 'string' ? string : boolean
    },
    problems,
  }
}

function parseRoles(text: string, problems: Problem[]): RoleName[] {
  if (text === 'all') return [...roleNames]
  const names = text.split(',')
  const unknown = names.filter((name) => !roleNames.includes(name as RoleName))
  for (const name of unknown) {
    problems.push({
      path: '--role',
      value: name,
      message: `Choose from all, ${roleNames.join(', ')}.`,
    })
  }
  return roleNames.filter((name) => names.includes(name))
}

const defined = <K extends string, V>(key: K, value: V | undefined) =>
  (value === undefined ? {} : { [key]: value }) as { [P in K]?: V }
