import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Agent } from '../api.ts'
import { codexEntry } from './codex.ts'
import { piEntry } from './pi.ts'

const optional = {
  pi: { entry: piEntry, packageName: '@earendil-works/pi-coding-agent' },
  codex: { entry: codexEntry, packageName: '@openai/codex' },
} as const

/** The package that an agent needs and this installation lacks, if so. */
export function missingPackage(agent: Agent, appFolder: string): string | undefined {
  if (agent !== 'pi' && agent !== 'codex') return undefined
  const { entry, packageName } = optional[agent]
  return existsSync(join(appFolder, entry)) ? undefined : packageName
}
