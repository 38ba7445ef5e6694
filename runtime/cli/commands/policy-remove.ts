import { type SubCommand, segment } from '../command.ts'
import { type SubjectOptions, toSubject, toSubjectText, withSubject } from './policy-set.ts'

export const policyRemove: SubCommand<SubjectOptions> = {
  name: 'policy remove',
  summary: 'Lift the policy of the organisation, a key or sandboxes.',
  examples: [['policy remove --key 01J8', 'that of the organisation still holds']],
  options: withSubject,
  async run({ connect, out }, _args, options) {
    const subject = toSubject(options)
    const client = await connect()
    await client.json(`/api/policies/${segment(subject)}`, { method: 'DELETE' })
    out.show({ subject, removed: true }, (done) => [
      `Lifted the policy of ${toSubjectText(done.subject)}.`,
    ])
    return 0
  },
}
