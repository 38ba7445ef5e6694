import { toUsdText } from '#kernel/units.ts'
import type { Agent, Loop, Pass } from '../../spool/api.ts'
import type { SubCommand } from '../command.ts'
import { failure } from '../errors.ts'
import { shortSha, toGateMark, toGateText, toSpanText, toTokensText } from '../event-text.ts'
import { indent, toFields } from '../fields.ts'
import { loopPath } from '../loop-id.ts'
import type { Look, Output } from '../output.ts'
import { toOneLine } from '../printable.ts'
import { type Column, toTable } from '../table.ts'
import { watchLoop } from '../watch.ts'

export const loopShow: SubCommand<{ follow?: boolean; pass?: string }> = {
  name: 'loop show',
  args: '<id>',
  summary: 'Show a loop and its passes.',
  details: 'With --pass: what the gates of that pass printed; exits 1 where one is red.',
  examples: [
    ['loop show 7f3a', 'the loop, and a line a pass'],
    ['loop show 7f3a --pass 2', 'why its gates are red'],
    ['loop show 7f3a --follow', "watch it to its end, and exit with the ending's code"],
  ],
  options: (command) =>
    command
      .option('-f, --follow', 'watch until it ends')
      .option('--pass <number>', 'one pass with its gates’ output'),
  async run(context, [id], { follow, pass: number }) {
    const client = await context.connect()
    const path = await loopPath(client, id!)
    const loop = await client.json<Loop>(path)
    if (follow) return await watchLoop(loop, context)
    const passes = await client.json<Pass[]>(`${path}/passes`)
    if (number !== undefined) return showPass(context.out, passes, number)
    context.out.show({ ...loop, items: passes }, (shown, look) => [
      ...toLoopLines(shown, look),
      '',
      ...toPassLines(shown.items, look),
    ])
    return 0
  },
}

/** Answers 1 where a gate of it is red, as the gate itself would. */
function showPass(out: Output, passes: readonly Pass[], number: string): number {
  const pass = passes.find((each) => String(each.pass) === number)
  if (!pass) throw failure('cli/usage', `--pass ${number}: the loop has no such pass yet.`)
  out.show(pass, ({ gates, lastMessage }, { colours }) => [
    ...gates.flatMap((gate) => [toOneLine(toGateText(gate, colours)), ...indent(gate.output)]),
    colours.bold('last message'),
    ...indent(lastMessage ?? '-'),
  ])
  return pass.gates.every(({ exit }) => exit === 0) ? 0 : 1
}

const toLoopLines = (loop: Loop, look: Look) =>
  toFields(
    {
      loop: loop.id,
      name: loop.name + (loop.isRehearsal ? ' (rehearsal)' : ''),
      state: loop.ending ?? toStateText(loop),
      why: loop.reason,
      repository: `${loop.spec.repository} at ${loop.spec.ref}`,
      agent: `${toAgentText(loop.spec.agent)} with ${loop.spec.model}`,
      cost: `${toUsdText(loop.costNanoUsd)}, ${toTokensText(loop.usage)}`,
      time: loop.endedAt && toSpanText(loop.startedAt, loop.endedAt),
      branch: loop.branch,
      bundle: loop.bundle,
      sandbox: loop.spec.isolation === 'none' ? 'none: it ran as this machine’s user' : null,
    },
    look,
  )

const toStateText = ({ state, isHeld, pass }: Loop) =>
  isHeld && pass ? `${state}, paused after pass ${pass.pass}` : state

const toAgentText = (agent: Agent) => (typeof agent === 'string' ? agent : agent.command.join(' '))

function toPassLines(passes: readonly Pass[], look: Look): string[] {
  if (passes.length === 0) return ['No pass yet.']
  return toTable(passes, passColumns, look)
}

const passColumns: Column<Pass>[] = [
  { title: 'PASS', of: ({ pass }) => String(pass), align: 'right' },
  { title: 'COMMIT', of: ({ sha }) => shortSha(sha) },
  { title: 'FILES', of: ({ filesChanged }) => String(filesChanged), align: 'right' },
  { title: 'GATES', of: ({ gates }) => gates.map(toGateMark).join(' ') },
  {
    title: 'TOKENS',
    of: ({ usage }) => toTokensText(usage).replace(' tokens', ''),
    align: 'right',
  },
  { title: 'COST', of: ({ costNanoUsd }) => toUsdText(costNanoUsd), align: 'right' },
  { title: 'NEXT', of: ({ next, phase }) => next ?? phase },
  { title: 'SANDBOX', of: ({ sandbox }) => sandbox ?? '-' },
  { title: 'WHY', of: ({ reason }) => reason ?? '' },
]
