import { Option } from 'commander'
import type { Budget, BudgetChange } from '../../proxy/api.ts'
import {
  type AmountOptions,
  assertUnit,
  readAmount,
  toLimitText,
  toStateText,
  withAmount,
} from '../budget-text.ts'
import { type SubCommand, segment, toCount } from '../command.ts'
import { failure } from '../errors.ts'

type Options = AmountOptions & {
  clip?: string | false
  enforce?: 'refuse' | 'observe'
  turn?: 'on' | 'off'
  endRaise?: boolean
}

export const budgetSet: SubCommand<Options> = {
  name: 'budget set',
  args: '<name>',
  summary: "Change a budget's amount, or how it acts.",
  details:
    'It holds from the next call on. What it counts, whose and in which window, does not change: that is another budget.',
  examples: [
    ['budget set daily --usd 80', 'another amount'],
    ['budget set daily --enforce observe', 'count, and let all pass'],
    ['budget set daily --turn off', 'neither count nor refuse'],
  ],
  options: (command) =>
    withAmount(command)
      .option(
        '--clip <tokens>',
        'ask for fewer output tokens where the rest fits, but not for fewer than these',
      )
      .option('--no-clip', 'refuse what does not fit whole')
      .addOption(
        new Option('--enforce <how>', 'refuse what does not fit, or only count').choices([
          'refuse',
          'observe',
        ]),
      )
      .addOption(new Option('--turn <state>', 'whether it acts at all').choices(['on', 'off']))
      .option('--end-raise', 'end a raise before its time'),
  async run({ connect, out }, [name], options) {
    const given = readAmount(options)
    const json = toChange(options, given?.amount)
    if (Object.keys(json).length === 0)
      throw failure('cli/usage', 'Say what is to change; --help has the options.')
    const client = await connect()
    const path = `/api/budgets/${segment(name!)}`
    if (given) assertUnit(await client.json<Budget>(path), given.unit)
    const changed = await client.json<Budget>(path, { method: 'PUT', json })
    out.show(changed, (budget) => [
      `Changed ${budget.name}: ${toLimitText(budget)}, ${toStateText(budget)}.`,
    ])
    return 0
  },
}

const toChange = ({ clip, enforce, turn, endRaise }: Options, amount?: number): BudgetChange => ({
  ...(amount !== undefined && { amount }),
  ...(clip === false && { clip: 'off' }),
  ...(typeof clip === 'string' && { clip: 'allow', clipTokensMin: toCount('--clip', clip) }),
  ...(enforce !== undefined && { enforce }),
  ...(turn !== undefined && { enabled: turn === 'on' }),
  ...(endRaise === true && { raise: null }),
})
