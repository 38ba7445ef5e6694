import type { Candidate, Explained, ExplainInput } from '../../proxy/routing/api.ts'
import { type SubCommand, toCount } from '../command.ts'
import { toFields } from '../fields.ts'
import type { Look } from '../output.ts'
import { type Column, toTable } from '../table.ts'
import { toModels } from './provider-add.ts'
import { collect, toTags } from './route-add.ts'

type Options = {
  model: string
  key?: string
  wire?: string
  sandbox?: boolean
  stream?: boolean
  maxTokens?: string
  tools?: string
  serverTools?: string
  tag?: string[]
  session?: string
}

export const proxyExplain: SubCommand<Options> = {
  name: 'proxy explain',
  summary: 'Say where a model call would go, and why.',
  details: 'Nothing is sent. Exits 1 where the call would be refused.',
  examples: [
    ['proxy explain --model claude-opus-4-5', 'for a call of your own'],
    ['proxy explain --model gpt-5 --key 01J8 --wire responses', 'for a call of a key'],
    ['proxy explain --model gpt-5 --sandbox --tag env=prod', 'for a call out of a loop'],
  ],
  options: (command) =>
    command
      .requiredOption('--model <name>', 'as the call names it')
      .option('--key <id>', 'as this API key')
      .option('--wire <wire>', 'messages, chat, responses or gemini')
      .option('--sandbox', 'as a sandbox of a loop with this model')
      .option('--stream', 'as a call that streams')
      .option('--max-tokens <count>', 'what the call asks for')
      .option('--tools <names>', 'tools in the call, with commas between')
      .option('--server-tools <types>', "the vendor's own tools in the call")
      .option('--tag <tag>', 'a tag of the call, NAME=VALUE; again for more', collect)
      .option('--session <id>', 'the session it belongs to'),
  async run({ connect, out }, _args, options) {
    const client = await connect()
    const json = toQuestion(options)
    const found = await client.json<Explained>('/api/explain', { method: 'POST', json })
    out.show(found, toLines)
    return found.refusal === null ? 0 : 1
  },
}

function toQuestion(options: Options): ExplainInput {
  const { model, key, wire, sandbox, stream, maxTokens, tools, serverTools, tag, session } = options
  return {
    model,
    ...(key !== undefined && { key }),
    ...(wire !== undefined && { wire: wire as never }),
    ...(sandbox && { sandbox: { model } }),
    ...(stream && { stream }),
    ...(maxTokens !== undefined && { outputTokens: toCount('--max-tokens', maxTokens) }),
    ...(tools !== undefined && { tools: toModels(tools) }),
    ...(serverTools !== undefined && { serverTools: toModels(serverTools) }),
    ...(tag && { tags: toTags(tag) }),
    ...(session !== undefined && { session }),
  }
}

function toLines(found: Explained, look: Look): string[] {
  const { green, red } = look.colours
  const { policy, route, refusal, order, wire, model } = found
  const verdict = refusal
    ? `${red('✗')} refused (${refusal.status} ${refusal.code}): ${refusal.message}`
    : `${green('✓')} ${model} goes to ${order.join(', then ')}`
  const fields = toFields(
    {
      wire,
      route: route
        ? `${route.name} (${route.strategy})`
        : 'none: the oldest provider that lists it',
      retry: route?.retry ? `on ${route.retry.on.join(', ')}` : 'off',
      pings: route?.pingS ? `after ${route.pingS} s` : null,
      regions: policy.regions?.join(', ') ?? null,
      retention: policy.retention.join(', ') || null,
      output: policy.outputTokensMax === null ? null : `${policy.outputTokensMax} tokens at most`,
      logging: policy.logging,
      'client leaves': policy.onClientLeft,
      budgets: found.budgets.map(({ name }) => name).join(', ') || 'none counts',
    },
    look,
  )
  const broken = policy.checks
    .filter(({ isAllowed }) => !isAllowed)
    .map(({ rule, scope, say }) => `${red('✗')} ${scope}: ${rule}: ${say}`)
  const table =
    found.candidates.length === 0 ? [] : ['', ...toTable(found.candidates, columns, look)]
  return [verdict, ...broken, '', ...fields, ...table]
}

const columns: Column<Candidate>[] = [
  { title: 'PROVIDER', of: ({ provider }) => provider },
  { title: 'MODEL', of: ({ model }) => model },
  { title: 'IN', of: ({ isIn }) => (isIn ? 'yes' : 'no') },
  { title: 'HEALTH', of: ({ health }) => (health ? health.state : '-') },
  { title: 'CALLS', of: ({ health }) => toCalls(health) },
  { title: 'PRICE', of: ({ isPriced }) => (isPriced === null ? '-' : isPriced ? 'known' : 'none') },
  { title: 'WHY', of: ({ reason }) => reason },
]

const toCalls = (health: Candidate['health']) =>
  health ? `${health.inFlight}${health.callsMax === null ? '' : `/${health.callsMax}`}` : '-'
