import type { SubCommand } from '../command.ts'
import { type Finding, findAll } from '../doctor/findings.ts'
import type { Look } from '../output.ts'

export const doctor: SubCommand = {
  name: 'doctor',
  summary: 'Say what this machine has and lacks.',
  details:
    'For what is missing: what that costs, and how to get it. Needs no running instance. Exits 1 when something needed is missing.',
  examples: [['doctor', 'before the first start, or when sandboxes are weak']],
  async run({ out, stateFolder }) {
    const findings = await findAll(stateFolder)
    out.show(findings, (shown, look) => shown.flatMap((finding) => toLines(finding, look)))
    return findings.some(({ state }) => state === 'missing') ? 1 : 0
  },
}

const nameChars = 18

function toLines({ name, state, detail, cost, fix }: Finding, { colours }: Look): string[] {
  const marks = {
    good: colours.green('✓'),
    weaker: colours.yellow('!'),
    missing: colours.red('✗'),
  } as const
  const head = `${marks[state]} ${name.padEnd(nameChars)} ${detail}`
  const rest = [cost && `cost: ${cost}`, fix && `fix:  ${fix}`].filter(Boolean)
  return [head, ...rest.map((line) => `  ${' '.repeat(nameChars)} ${line}`)]
}
