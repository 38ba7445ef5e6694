import type { Lists, Policy } from '../../proxy/policy/api.ts'
import { type SubCommand, segment } from '../command.ts'
import { toFields } from '../fields.ts'
import { type SubjectOptions, toSubject, withSubject } from './policy-set.ts'

export const policyShow: SubCommand<SubjectOptions> = {
  name: 'policy show',
  summary: 'Show what model calls of the organisation, a key or sandboxes are held to.',
  examples: [
    ['policy show', 'the organisation'],
    ['policy show --key 01J8', 'one API key'],
  ],
  options: withSubject,
  async run({ connect, out }, _args, options) {
    const client = await connect()
    const path = `/api/policies/${segment(toSubject(options))}`
    const policy = await client.json<Policy>(path)
    out.show(policy, (set, look) => toFields(toShown(set), look))
    return 0
  },
}

const toShown = (policy: Policy) => ({
  of: policy.subject,
  models: toListsText(policy.models) ?? 'any',
  tools: toListsText(policy.tools),
  'server tools': toListsText(policy.serverTools),
  output:
    policy.outputTokensMax === null
      ? null
      : `${policy.outputTokensMax} tokens; what asks for more is ${policy.outputOver === 'clip' ? 'lowered' : 'refused'}`,
  regions: policy.regions?.join(', ') ?? null,
  retention: policy.retention.join(', ') || null,
  logging: policy.logging,
  'client leaves': policy.onClientLeft,
})

export function toListsText({ allow, deny }: Lists): string | null {
  const not = deny.length === 0 ? '' : `not ${deny.join(', ')}`
  if (allow === null) return not || null
  return [allow.join(', ') || 'none', not].filter(Boolean).join('; ')
}
