import type { AgentInfo, Page } from '../../spool/api.ts'
import type { SubCommand } from '../command.ts'
import type { Look } from '../output.ts'
import { type Column, toTable } from '../table.ts'

export const agentList: SubCommand = {
  name: 'agent list',
  summary: 'List the agents that loops can name, and how to get those that are missing.',
  details:
    'Agents of this installation and of this machine. PROVED is the version with which whole loops were run; * marks one that was proved by a recorded conversation.',
  examples: [['agent list', 'what can stand behind `agent:` in a loop file']],
  async run({ connect, out }) {
    await using client = await connect()
    const page = await client.json<Page<AgentInfo>>('/api/agents')
    out.show(page, ({ items }, look) => [...toTable(items, columns, look), ...fixesOf(items, look)])
    return 0
  },
}

const mebibyte = 1024 ** 2

const columns: Column<AgentInfo>[] = [
  { title: 'AGENT', of: ({ name }) => name },
  { title: 'STATE', of: ({ state }) => state },
  { title: 'VERSION', of: ({ version }) => version ?? '-' },
  { title: 'PROVED', of: toProved },
  { title: 'WIRES', of: ({ wires }) => wires.join(', ') },
  { title: 'MEMORY', of: ({ memoryBytes }) => `${Math.round(memoryBytes / mebibyte)} MiB` },
  { title: 'FROM', of: ({ from }) => from ?? '-' },
]

function toProved({ provedVersion, proof }: AgentInfo): string {
  if (provedVersion === null) return '-'
  return proof === 'recorded conversation' ? `${provedVersion}*` : provedVersion
}

const fixesOf = (items: readonly AgentInfo[], { colours }: Look): string[] =>
  items.flatMap(({ name, fix }) => (fix === null ? [] : [`${colours.yellow(name)}: ${fix}`]))
