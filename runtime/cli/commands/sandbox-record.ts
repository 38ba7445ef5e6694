import { type SubCommand, segment } from '../command.ts'
import { failure } from '../errors.ts'

export const sandboxRecord: SubCommand = {
  name: 'sandbox record',
  args: '<id>',
  summary: "Print the recording of a sandbox's agent so far, as asciicast v2.",
  details:
    'For any asciicast player, or a bug report. Of a long one the head is missing. A loop keeps the recording of each pass: treadle loop replay.',
  examples: [
    ['sandbox record sb-12 > agent.cast', 'the terminal from its start'],
    ['sandbox record sb-12 | gzip > agent.cast.gz', 'for a bug report'],
  ],
  async run({ connect, stdout }, [id]) {
    if (stdout.isTTY) {
      throw failure('cli/usage', `Write it to a file: treadle sandbox record ${id} > agent.cast`)
    }
    const client = await connect()
    stdout.write(await client.bytes(`/api/sandboxes/${segment(id!)}/agent/recording`))
    return 0
  },
}
