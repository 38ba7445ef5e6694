// For tests alone: a caller of the live stream, with what it heard and when.
import type { UserClaims } from '#kernel/tokens.ts'
import type { Live } from '../api.ts'
import { type Scene, until } from './scene.ts'

type Heard = { [Name in keyof Live]: { name: Name; data: Live[Name]; atMs: number } }[keyof Live]

export type Listening = {
  status: number
  heard: Heard[]
  /** Of one name. */
  all<Name extends keyof Live>(name: Name): Live[Name][]
  /** Waits for it, whenever it comes. */
  first<Name extends keyof Live>(
    name: Name,
    is?: (data: Live[Name]) => boolean,
  ): Promise<Live[Name]>
  /** Settles when the stream has ended, whoever ended it. */
  over: Promise<void>
  comments(): number
  close(): void
}

export async function listen(scene: Scene, claims?: Partial<UserClaims>): Promise<Listening> {
  const { response, stop } = await scene.open('/api/loops/live', claims)
  const heard: Heard[] = []
  let comments = 0
  const all = <Name extends keyof Live>(name: Name) =>
    heard.filter((one) => one.name === name).map(({ data }) => data as Live[Name])
  return {
    status: response.status,
    heard,
    all,
    first: (name, is = () => true) => until(async () => all(name).find(is)),
    over: read().catch(() => {}), // It was cut.
    comments: () => comments,
    close: stop,
  }

  async function read(): Promise<void> {
    let text = ''
    for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
      const blocks = (text + chunk).split('\n\n')
      text = blocks.pop()!
      for (const block of blocks) take(block)
    }
  }

  function take(block: string): void {
    const [, name, data] = /^event: (\w+)\ndata: (.*)$/.exec(block) ?? []
    if (block.startsWith(':')) comments += 1
    if (name === undefined) return
    heard.push({ name, data: JSON.parse(data!), atMs: performance.now() } as Heard)
  }
}
