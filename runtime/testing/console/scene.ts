// One of everything that a page can show, made by the real roles: loops that ended in several ways and one that runs,
// their threads, sandboxes and calls, a provider and a key.
import { join } from 'node:path'
import type { NewLoopInput, Page } from '../../spool/api.ts'
import { createDemoTask, type DemoName, toDemoLoop } from '../../start/demo/demo.ts'
import type { Thread } from '../../threads/api.ts'
import type { Sandbox } from '../../weaver/api.ts'
import type { TestAppliance } from '../appliance.ts'
import { startShellAgent } from './shell-agent.ts'

export type Scene = {
  done: string
  running: string
  thread: string
  living: string
  ended: string
}

const greeting = String.raw`
printf '\033[1mUpgrading dependencies\033[0m\n'
git log --oneline | head -3; ls -l
node --test 2>&1 | head -20
printf '\033[32mok\033[0m 14 packages are new, \033[33m2 need a look\033[0m\n'`

export async function createScene(treadle: TestAppliance): Promise<Scene> {
  const { client } = treadle
  const submit = async (task: DemoName, name: string, over: Partial<NewLoopInput> = {}) => {
    const repository = join(treadle.state, name)
    await createDemoTask(task, repository)
    return (await treadle.submit({ ...toDemoLoop(task, repository), name, ref: 'main', ...over }))
      .id
  }
  const over = [
    await submit('word-count', 'word-count', {}),
    await submit('fix-adder', 'refactor-parser', { model: 'rehearsal/no-progress' }),
    await submit('parse-duration', 'flaky-checkout', {
      model: 'rehearsal/same-error',
      caps: { iterations: 2, usd: 0.5 },
    }),
    await submit('fix-adder', 'empty-states', { model: 'rehearsal/empties-plan' }),
  ]
  const caps = { iterations: 12, time: '2h', idle: '30m', usd: 2.5 }
  const shell = await startShellAgent(treadle, {
    over: { name: 'upgrade-dependencies', caps },
    greeting,
  })
  for (const id of over) await treadle.ended(id)
  await startShellAgent(treadle, { over: { name: 'api-docs', caps: { ...caps, usd: 1 } } })
  const paused = await submit('fix-adder', 'dark-theme', { model: 'rehearsal/slow' })
  await client.post(`/api/loops/${paused}/pause`, {})
  const cancelled = await submit('fix-adder', 'old-importer', { model: 'rehearsal/slow' })
  await client.post(`/api/loops/${cancelled}/cancel`, {})
  await treadle.ended(cancelled)
  await client.post('/api/providers', {
    name: 'anthropic',
    kind: 'anthropic',
    key: 'sk-not-a-real-one',
    models: ['claude-sonnet-4-5', 'claude-opus-4-1'],
  })
  await client.post('/api/keys', { name: 'ci', expiresInDays: 90 })
  const [done] = over as [string]
  const threads = await client.get<Page<Thread>>(`/api/threads?loop=${done}`)
  const sandboxes = await client.get<Page<Sandbox>>(`/api/sandboxes?loop=${done}&state=ended`)
  return {
    done,
    running: shell.loop,
    thread: threads.items[0]!.id,
    living: shell.sandbox,
    ended: sandboxes.items.find(({ purpose }) => purpose === 'agent')!.id,
  }
}
