import { Option } from 'commander'
import type { Budget, BudgetLevel, BudgetWindow, NewBudgetInput } from '../../proxy/api.ts'
import {
  type AmountOptions,
  readAmount,
  toLimitText,
  toWhomText,
  withAmount,
} from '../budget-text.ts'
import { type SubCommand, toCount } from '../command.ts'
import { failure } from '../errors.ts'

type Options = AmountOptions & {
  per: BudgetWindow
  zone?: string
  level: BudgetLevel
  subject?: string
  model?: string
  clip?: string
  observe?: boolean
}

export const budgetAdd: SubCommand<Options> = {
  name: 'budget add',
  args: '<name>',
  summary: 'Cap what calls of models may cost.',
  details:
    'Before a call, the most that it can come to is reserved in every budget it counts in; a call that does not fit is not sent. Without --level the budget is for the whole organisation.',
  examples: [
    ['budget add daily --usd 50 --per day --zone Europe/Berlin', 'fifty dollars a day, for all'],
    ['budget add ci --usd 5 --per day --level key --subject key-1', 'one API key'],
    [
      'budget add opus --usd 200 --per month --level model --subject "claude-opus-*"',
      'dear models',
    ],
    [
      'budget add loop --tokens 2000000 --level loop --subject 7f3a --clip 1024',
      'shorter answers at its end',
    ],
    [
      'budget add rate --requests 60 --per minute --level user --subject mia',
      'sixty calls a minute',
    ],
  ],
  options: (command) =>
    withAmount(command)
      .addOption(
        new Option('--per <window>', 'when it begins anew').choices(windows).default('total'),
      )
      .option('--zone <zone>', 'time zone of its days and months; UTC unless said')
      .addOption(new Option('--level <level>', 'whose calls count').choices(levels).default('org'))
      .option('--subject <id>', 'which team, user, key, loop, sandbox, or model')
      .option(
        '--model <name>',
        'count calls of this model alone; a star at the end stands for any ending',
      )
      .option(
        '--clip <tokens>',
        'ask for fewer output tokens where the rest fits, but not for fewer than these',
      )
      .option('--observe', 'count, and let all pass'),
  async run({ connect, out }, [name], options) {
    const given = readAmount(options)
    if (!given) throw failure('cli/usage', 'Say how much: --usd, --tokens or --requests.')
    const client = await connect()
    const json: NewBudgetInput = { name: name!, ...given, ...toRest(options) }
    const made = await client.json<Budget>('/api/budgets', { method: 'POST', json })
    out.show(made, (budget) => [
      `Added ${budget.name}: ${toLimitText(budget)}, ${toWhomText(budget)}.`,
    ])
    out.note(`Look at it: treadle budget show ${name}`)
    return 0
  },
}

// Named here, for a command takes of a role its wire types alone.
const windows: readonly BudgetWindow[] = ['minute', 'hour', 'day', 'week', 'month', 'total']
const levels: readonly BudgetLevel[] = ['org', 'team', 'user', 'key', 'loop', 'sandbox', 'model']

const toRest = ({ per, zone, level, subject, model, clip, observe }: Options) => ({
  window: per,
  level,
  ...(zone !== undefined && { zone }),
  ...(subject !== undefined && { subject }),
  ...(model !== undefined && { model }),
  ...(clip !== undefined && { clip: 'allow' as const, clipTokensMin: toCount('--clip', clip) }),
  ...(observe === true && { enforce: 'observe' as const }),
})
