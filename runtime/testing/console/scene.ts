// One of everything that a page can show, made by the real roles: loops that ended in several ways and one that runs,
// their threads, sandboxes and calls, a provider and a key.
import type { Page } from '../../spool/api.ts'
import type { Thread } from '../../threads/api.ts'
import type { Sandbox } from '../../weaver/api.ts'
import type { TestAppliance } from '../appliance.ts'
import { createDemoLoop } from '../demo-loop.ts'
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

export async function createScene(treadle: TestAppliance, folder: string): Promise<Scene> {
  const { client } = treadle
  const submit = async (...of: Parameters<typeof createDemoLoop>) =>
    (await treadle.submit(await createDemoLoop(...of))).id
  const done = await submit(folder, 'word-count')
  const others = [
    await submit(folder, 'fix-adder', { name: 'refactor-parser', model: 'rehearsal/no-progress' }),
    await submit(folder, 'parse-duration', {
      name: 'flaky-checkout',
      model: 'rehearsal/same-error',
      caps: { iterations: 2 },
    }),
    await submit(folder, 'fix-adder', { name: 'needs-a-look', model: 'rehearsal/empties-plan' }),
  ]
  const running = {
    name: 'upgrade-dependencies',
    caps: { iterations: 12, time: '2h', idle: '30m', usd: 2.5 },
  }
  const shell = await startShellAgent(treadle, { over: running, greeting })
  for (const id of [done, ...others]) await treadle.ended(id)
  await client.post('/api/providers', {
    name: 'anthropic',
    kind: 'anthropic',
    key: 'sk-not-a-real-one',
    models: ['claude-sonnet-4-5', 'claude-opus-4-1'],
  })
  await client.post('/api/keys', { name: 'ci', expiresInDays: 90 })
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
