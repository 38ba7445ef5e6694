import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { AgentInfo, Loop, LoopEvent, NewLoopInput, Page, Pass } from '../../spool/api.ts'
import type { Client } from '../client.ts'
import { type Context, type SubCommand, segment } from '../command.ts'
import { failure } from '../errors.ts'
import { shortSha, toGateMark, toTokensText } from '../event-text.ts'
import { followLoop } from '../follow.ts'
import { toPrintable } from '../printable.ts'

type Step = {
  step: 'program' | 'repository' | 'loop' | 'pass' | 'result'
  ok: boolean
  detail: string
}
type Say = (step: Step['step'], ok: boolean, detail: string) => boolean

export const agentTest: SubCommand<{ model?: string }> = {
  name: 'agent test',
  args: '<name>',
  summary: 'Prove on this machine that an agent lands a green branch.',
  details:
    'Makes a small repository with two red tests, and lets the agent do a loop on it with the rehearsal model: no vendor is asked, and nothing is spent. Exits 1 when a step fails, and says which; the repository is then kept.',
  examples: [
    ['agent test opencode', 'is it found, does it start, does its work land?'],
    [
      'agent test claude --model claude-sonnet-4-5',
      'with a model of your own provider: this costs',
    ],
  ],
  options: (command) => command.option('--model <name>', 'another model than the rehearsal'),
  async run(context, [name], { model }) {
    const { out } = context
    const say: Say = (step, ok, detail) => {
      out.event({ step, ok, detail } satisfies Step, (safe, { colours }) => [
        `${safe.ok ? colours.green('✓') : colours.red('✗')} ${safe.step.padEnd(stepChars)} ${safe.detail}`,
      ])
      return ok
    }
    await using client = await context.connect()
    const agent = await findAgent(client, name!)
    if (!say('program', agent.state === 'ready', toProgramText(agent))) return 1
    const folder = mkdtempSync(join(tmpdir(), 'treadle-agent-'))
    const spec = { ...makeTask(join(folder, 'repository')), ...(model && { model }), agent: name! }
    say('repository', true, spec.repository)
    const isGreen = await runLoop(context, { client, agent, spec, say })
    if (isGreen) rmSync(folder, { recursive: true, force: true })
    return isGreen ? 0 : 1
  },
}

const stepChars = 'repository'.length

async function findAgent(client: Client, name: string): Promise<AgentInfo> {
  const { items } = await client.json<Page<AgentInfo>>('/api/agents')
  const found = items.find((agent) => agent.name === name)
  if (found) return found
  const names = items.map((agent) => agent.name).join(', ')
  throw failure('cli/usage', `No agent is called ${name}. There are: ${names}.`)
}

function toProgramText({ state, title, version, from, provedVersion, fix }: AgentInfo): string {
  if (state !== 'ready') return `${title}: ${fix}`
  const proved = provedVersion && provedVersion !== version ? `, proved with ${provedVersion}` : ''
  return `${title} ${version ?? '(version unknown)'} from ${from ?? 'this machine'}${proved}`
}

const demo = fileURLToPath(new URL('../../start/demo/main.ts', import.meta.url))

/** By the program that makes the demo's repositories: it prints the loop. */
const makeTask = (repository: string) =>
  JSON.parse(
    execFileSync(process.execPath, [demo, 'fix-adder', repository], { encoding: 'utf8' }),
  ) as NewLoopInput

type Trial = {
  client: Client
  agent: AgentInfo
  spec: Omit<NewLoopInput, 'agent'> & { agent: string }
  say: Say
}

async function runLoop(context: Context, { client, agent, spec, say }: Trial): Promise<boolean> {
  const { out, connect, interrupted } = context
  const { id } = await client.json<Loop>('/api/loops', { method: 'POST', json: spec })
  say('loop', true, `${id} with ${spec.model}`)
  const onBreak = (why: string) => out.note(`${toPrintable(why)} Trying again…`)
  for await (const event of followLoop({ loop: id, connect, interrupted, onBreak })) {
    if (event.event === 'pass') sayPass(event.pass, agent, say)
    if (event.event === 'ended' && sayEnd(event, say)) return true
  }
  const output = (await client.bytes(`/api/loops/${segment(id)}/output`)).toString('utf8')
  for (const line of output.trimEnd().split('\n').slice(-outputLinesMax)) {
    out.note(`  ${toPrintable(line).slice(0, lineCharsMax)}`)
  }
  out.note(
    `That was the end of what it wrote. More: treadle loop show ${id}, treadle loop logs ${id}`,
  )
  return false
}

const outputLinesMax = 15
const lineCharsMax = 300

/** An agent that asked no model did nothing, whatever it exits with. */
function sayPass(pass: Pass, { exits }: AgentInfo, say: Say): void {
  const { usage } = pass
  const isAsking = usage.inputTokens > 0
  const parts = [
    `${pass.pass}: ${shortSha(pass.sha)}`,
    pass.gates.map(toGateMark).join(' '),
    toTokensText(usage),
    toExitText(pass, exits),
    isAsking ? '' : 'it asked no model',
  ]
  say('pass', isAsking, parts.filter((part) => part !== '').join('  '))
}

function toExitText({ agentExit, agentCut }: Pass, exits: AgentInfo['exits']): string {
  if (agentCut !== null) return `cut: ${agentCut}`
  if (agentExit === null) return 'not started'
  const meaning = exits[agentExit]
  return meaning ? `exit ${agentExit} (${meaning})` : `exit ${agentExit}`
}

function sayEnd(event: Extract<LoopEvent, { event: 'ended' }>, say: Say): boolean {
  const { ending, reason, branch } = event
  return say(
    'result',
    ending === 'done',
    `${ending}: ${reason}${branch ? ` Branch ${branch}.` : ''}`,
  )
}
