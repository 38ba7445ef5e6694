// The first start's three rehearsal loops, and the words before and after them.
import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Loop, LoopPage, LoopSummary } from '../spool/api.ts'
import type { Appliance } from './appliance.ts'
import { createDemoTask, type DemoName, demoNames, toDemoLoop } from './demo/demo.ts'
import type { Report } from './report.ts'
import { defaultStateFolder, writePrivate } from './state.ts'
import { type Client, createOwnerClient } from './watch.ts'

/** Shown once a state folder. Answers when the loops are over, or when stopped. */
export async function showFirstStart(
  appliance: Appliance,
  report: Report,
  signal: AbortSignal,
): Promise<void> {
  const done = join(appliance.state.path, 'demo.json')
  if (existsSync(done)) return report.say(nextTime)
  report.say(introduction(appliance.agents.pi !== undefined))
  const client = createOwnerClient(appliance.url!, appliance.state.path)
  const known = (await client.get<LoopPage>('/api/loops?limit=50')).items
  const loops: LoopSummary[] = []
  for (const name of demoNames) {
    // A start that was killed between two submissions goes on where it was.
    loops.push(
      known.find((loop) => loop.name === name) ?? (await submitDemo(appliance, client, name)),
    )
  }
  writePrivate(done, JSON.stringify({ loops: loops.map(({ id }) => id) }))
  await untilOver(client, loops, signal)
  if (!signal.aborted) report.say(whatNext(appliance))
}

async function submitDemo(
  { state, agents }: Appliance,
  client: Client,
  name: DemoName,
): Promise<Loop> {
  const repository = join(state.path, 'demo', name)
  await createDemoTask(name, repository)
  const loop = toDemoLoop(name, repository)
  const agent = loop.agent === 'pi' && !agents.pi ? 'builtin' : loop.agent
  return client.post<Loop>('/api/loops', { ...loop, agent })
}

async function untilOver(client: Client, loops: LoopSummary[], signal: AbortSignal): Promise<void> {
  for (const { id } of loops) {
    while (!signal.aborted) {
      const loop = await client.get<Loop>(`/api/loops/${id}`).catch(() => undefined)
      if (loop?.state === 'ended') break
      await sleep(200, undefined, { signal }).catch(() => {}) // Stopped: the loop above ends.
    }
  }
}

const introduction = (
  hasPi: boolean,
) => `First start: three rehearsal loops in parallel, each in sandboxes of its own, on repositories made for it.
The agents are real${hasPi ? '' : ' (pi is not installed: the built-in agent stands in for it)'}; the model is a script on this machine, so all results say (rehearsal).
A loop is done when the agent promised so, no plan item is open, and every gate is green.
`

const nextTime = `Waiting for loops: npx --no-install treadle loop run LOOP.yaml   (treadle --help tells the rest)
`

function whatNext({ state: { path: state }, url }: Appliance): string {
  const isDefault = state === defaultStateFolder(process.getuid!(), { HOME: homedir() })
  const treadle = `npx --no-install treadle${isDefault ? '' : ` --state ${state}`}`
  return `
The three loops are over. Look at what they left: in the console, ${url}, where the link above signs in, and here:
  git -C ${join(state, 'demo/fix-adder')} log --oneline --all --graph
  ${treadle} loop list
  ${treadle} thread search "failing test"

Then your own repository, with a key of yours:
  ${treadle} provider add anthropic --kind anthropic --key-file KEY.txt --models claude-sonnet-4-5
  ${treadle} loop run LOOP.yaml     (README.md has a loop file to start from)
`
}
