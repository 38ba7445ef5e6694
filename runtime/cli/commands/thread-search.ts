import type { Page } from '../../spool/api.ts'
import type { SearchHit } from '../../threads/api.ts'
import { type PageOptions, pathOf, type SubCommand, withPage } from '../command.ts'
import type { Look } from '../output.ts'

export const threadSearch: SubCommand<PageOptions> = {
  name: 'thread search',
  args: '<words...>',
  summary: 'Find words in conversations, the best hits first.',
  examples: [
    ['thread search database timeout', 'messages that hold both words'],
    ['thread search "connection refused" --limit 5', 'the five best'],
  ],
  options: withPage,
  async run({ connect, out }, words, { limit, cursor }) {
    const client = await connect()
    const query = { q: words.join(' '), limit, cursor }
    const page = await client.json<Page<SearchHit>>(pathOf('/api/threads/search', query))
    out.show(page, ({ items }, look) =>
      items.length === 0 ? [none] : items.flatMap((hit) => toHitLines(hit, look)),
    )
    out.more(page)
    return 0
  },
}

const none = 'Nothing found. See what there is: treadle thread list'

function toHitLines({ thread, position, role, excerpt }: SearchHit, { colours }: Look): string[] {
  const title = thread.title.replace(/\s+/g, ' ')
  const head = `${colours.bold(thread.id)}  ${title}  ${colours.dim(`${role}, message ${position}`)}`
  return [head, `  ${withMarks(excerpt, colours.yellow)}`]
}

/** The server marks found words with U+0002 and U+0003, which are visible escapes by now. */
const withMarks = (excerpt: string, paint: (text: string) => string) =>
  excerpt.replace(/\s+/g, ' ').replace(/\\x02(.*?)\\x03/g, (_, word: string) => paint(word))
