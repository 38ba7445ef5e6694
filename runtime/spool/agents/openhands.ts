import type { Profile } from './profile.ts'

/** The name before the slash says which wire it speaks; its SDK cuts it off. Answers are not streamed. */
export const openhands: Profile = {
  title: 'OpenHands',
  licence: 'MIT',
  program: {
    kind: 'python',
    package: 'openhands',
    module: 'openhands_cli.entrypoint',
    python: '3.12',
    command: 'openhands',
    install: 'pip install openhands (in an environment of Python 3.12)',
  },
  provedVersion: '1.16.0',
  proof: 'real program',
  memoryBytes: 555 * 1024 ** 2,
  wires: [{ wire: 'chat', base: '{{origin}}/v1', api: 'openai' }],
  prompt: 'by its path as the last argument',
  args: ['--headless', '--json', '--override-with-envs', '--file'],
  env: {
    LLM_MODEL: '{{api}}/{{model}}',
    LLM_BASE_URL: '{{base}}',
    LITELLM_LOCAL_MODEL_COST_MAP: 'True', // Else it tries to fetch a list of prices.
    OPENHANDS_SUPPRESS_BANNER: '1',
    DO_NOT_TRACK: '1',
    PYTHONWARNINGS: 'ignore',
  },
  tokenVariable: 'LLM_API_KEY',
  files: [],
  exits: {},
  exitTells: false,
  token: 'seen by its commands',
  readLastWords: (output) => readFinish(output),
}

/** Models end a run by its tool `finish`, whose message no answer holds as text. One JSON object a line, among others. */
function readFinish(output: string): string | null {
  for (const line of output.split('\n').reverse()) {
    if (!line.includes('"FinishAction"')) continue
    const message = messageOf(line)
    if (message !== null) return message
  }
  return null
}

function messageOf(line: string): string | null {
  try {
    const event = JSON.parse(line.slice(line.indexOf('{')))
    const { kind, message } = event.source === 'agent' ? event.action : {}
    return kind === 'FinishAction' && typeof message === 'string' ? message : null
  } catch {
    return null // A line of another program, or the rest of one that was cut.
  }
}
