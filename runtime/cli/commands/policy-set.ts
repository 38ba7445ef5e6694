import { Option } from 'commander'
import type { Lists, NewPolicyInput, Policy } from '../../proxy/policy/api.ts'
import { type SubCommand, segment, toCount } from '../command.ts'
import { failure } from '../errors.ts'
import { toModels } from './provider-add.ts'

export type SubjectOptions = { key?: string; team?: string; sandboxes?: boolean }
type Options = SubjectOptions & {
  models?: string
  denyModels?: string
  tools?: string
  denyTools?: string
  serverTools?: string
  denyServerTools?: string
  maxOutput?: string
  clip?: boolean
  regions?: string
  retention?: string
  logging?: Policy['logging']
  onClientLeft?: 'cancel' | 'drain'
}

export const policySet: SubCommand<Options> = {
  name: 'policy set',
  summary: 'Say which model calls may be made.',
  details:
    'For the organisation, or with --key for one API key, with --team for those of a team, or with --sandboxes for what runs in loops. It replaces what was set: what is not named is free. Where several hold, all of them must let a call pass. A sandbox may name the model of its loop alone, whatever is set.',
  examples: [
    ['policy set --models claude-*,gpt-5 --deny-models claude-opus-*', 'for all'],
    ['policy set --key 01J8 --max-output 8000 --clip', 'longer answers are cut to that'],
    ['policy set --regions eu --retention zdr --logging metadata', 'where, and what is kept'],
  ],
  options: (command) =>
    withSubject(command)
      .option('--models <names>', 'only these: names, or beginnings and a star')
      .option('--deny-models <names>', 'none of these')
      .option('--tools <names>', 'only these tools')
      .option('--deny-tools <names>', 'none of these tools')
      .option('--server-tools <types>', "only these of the vendor's own tools; '' = none")
      .option('--deny-server-tools <types>', "none of these of the vendor's own tools")
      .option('--max-output <tokens>', 'tokens of one answer at most')
      .option('--clip', 'lower what asks for more, and do not refuse it')
      .option('--regions <names>', 'only providers in one of these')
      .option('--retention <labels>', 'only providers with all of these')
      .addOption(
        new Option('--logging <kind>', 'what is kept of what was said').choices([
          'off',
          'metadata',
          'full',
        ]),
      )
      .addOption(
        new Option(
          '--on-client-left <what>',
          'what becomes of an answer whose client left: it is cancelled, or runs on for its exact usage',
        ).choices(['cancel', 'drain']),
      ),
  async run({ connect, out }, _args, options) {
    const subject = toSubject(options)
    const json = toPolicy(options)
    const client = await connect()
    const path = `/api/policies/${segment(subject)}`
    const policy = await client.json<Policy>(path, { method: 'PUT', json })
    out.show(policy, (set) => [`Set the policy of ${toSubjectText(set.subject)}.`])
    return 0
  },
}

export const withSubject: NonNullable<SubCommand['options']> = (command) =>
  command
    .option('--key <id>', 'of this API key')
    .option('--team <name>', 'of the API keys and loops of this team')
    .option('--sandboxes', 'of what runs in loops')

export function toSubject({ key, team, sandboxes }: SubjectOptions): string {
  const named = [
    ...(key === undefined ? [] : [`key:${key}`]),
    ...(team === undefined ? [] : [`team:${team}`]),
    ...(sandboxes ? ['sandboxes'] : []),
  ]
  if (named.length > 1) throw failure('cli/usage', 'Name one of --key, --team and --sandboxes.')
  return named[0] ?? 'org'
}

export const toSubjectText = (subject: string) =>
  ({ org: 'the organisation', sandboxes: 'its sandboxes' })[subject] ??
  `the ${subject.replace(':', ' ')}`

const toLists = (allow: string | undefined, deny: string | undefined): Lists => ({
  allow: allow === undefined ? null : toModels(allow),
  deny: toModels(deny ?? ''),
})

function toPolicy(options: Options): NewPolicyInput {
  const { maxOutput, clip, regions, retention, logging, onClientLeft } = options
  return {
    models: toLists(options.models, options.denyModels),
    tools: toLists(options.tools, options.denyTools),
    serverTools: toLists(options.serverTools, options.denyServerTools),
    ...(maxOutput !== undefined && { outputTokensMax: toCount('--max-output', maxOutput) }),
    ...(clip && { outputOver: 'clip' as const }),
    ...(regions !== undefined && { regions: toModels(regions) }),
    ...(retention !== undefined && { retention: toModels(retention) }),
    ...(logging && { logging }),
    ...(onClientLeft && { onClientLeft }),
  }
}
