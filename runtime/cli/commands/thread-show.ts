import type { Message, ThreadWithMessages } from '../../threads/api.ts'
import { type PageOptions, pathOf, type SubCommand, segment, withPage } from '../command.ts'
import { toTimeText } from '../event-text.ts'
import { indent, toFields } from '../fields.ts'
import type { Look } from '../output.ts'
import { toOneLine } from '../printable.ts'

export const threadShow: SubCommand<PageOptions> = {
  name: 'thread show',
  args: '<id>',
  summary: 'Show a conversation, message by message.',
  details: 'Control characters are shown as escapes.',
  examples: [
    ['thread show 01J9', 'what the agent was told, said and did'],
    ['thread show 01J9 --limit 200', 'more of it at once'],
  ],
  options: withPage,
  async run({ connect, out }, [id], { limit, cursor }) {
    const client = await connect()
    const path = pathOf(`/api/threads/${segment(id!)}`, { limit, cursor })
    const thread = await client.json<ThreadWithMessages>(path)
    out.show(thread, toLines)
    out.more(thread)
    return 0
  },
}

function toLines(thread: ThreadWithMessages, look: Look): string[] {
  const { id, title, loop, pass, isRehearsal, createdAt } = thread
  const fields = {
    thread: id,
    title,
    loop: loop === null ? null : `${loop}, pass ${pass}`,
    model: thread.model + (isRehearsal ? ' (rehearsal)' : ''),
    began: toTimeText(createdAt),
  }
  return [...toFields(fields, look), ...thread.items.flatMap((item) => toMessageLines(item, look))]
}

function toMessageLines({ role, tool, text, position }: Message, { colours }: Look): string[] {
  const who = tool === null ? role : `${role} · ${toOneLine(tool.name)}`
  return ['', `${colours.dim(String(position))} ${colours.bold(who)}`, ...indent(text)]
}
