// A loop file before it is written: what is asked, what the answer means, and the YAML with the schema's words above each key.
import { Document, isMap, isPair, isScalar, isSeq, type YAMLMap } from 'yaml'
import type { Shape } from './judge.ts'
import type { Gate } from './surroundings.ts'

export type Draft = {
  name?: string
  repository?: string
  ref?: string
  agent?: string
  model?: string
  provider?: string
  prompt?: string
  promptFile?: string
  plan?: string
  gates?: readonly Gate[]
  caps?: { iterations?: number; time?: string; idle?: string; usd?: number; tokens?: number }
  isolation?: string
}

/** `tests: npm test` or `npm test`, which gets a name of its own. */
export function toGate(text: string, taken: readonly Gate[]): Gate {
  const [, name, command] = /^([a-z0-9-]+):\s+(.*)$/s.exec(text.trim()) ?? []
  if (name !== undefined) return { name, command: command!.trim() }
  const free = (word: string, count = 1): string => {
    const made = count === 1 ? word : `${word}-${count}`
    return taken.some((gate) => gate.name === made) ? free(word, count + 1) : made
  }
  const word = /\b(test|lint|check|build|types)/.exec(text)?.[1] ?? 'gate'
  return { name: free(word === 'test' ? 'tests' : word), command: text.trim() }
}

/** A number where it is one: what else it should be is the schema's to say. */
export const toAmount = (text: string): number | string =>
  /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text

const order = [
  ...['name', 'repository', 'ref', 'agent', 'model', 'provider', 'prompt', 'promptFile', 'plan'],
  ...['gates', 'caps', 'isolation'],
] as const

export function toYaml(draft: Draft, shape: Shape): string {
  const entries = order.flatMap((key) => {
    const value = draft[key as keyof Draft]
    return value === undefined ? [] : [[key, value] as const]
  })
  const document = new Document(Object.fromEntries(entries))
  if (isMap(document.contents)) explain(document.contents, shape)
  document.commentBefore = ' A loop. Run it: treadle loop run FILE'
  return document.toString({ lineWidth: 100 })
}

function explain(map: YAMLMap<unknown, unknown>, shape: Shape): void {
  for (const pair of map.items) {
    if (!isPair(pair) || !isScalar(pair.key)) continue
    const at = shape.properties?.[String(pair.key.value)]
    if (at?.description) pair.key.commentBefore = ` ${at.description}`
    if (isMap(pair.value) && at) explain(pair.value, at)
    const first = isSeq(pair.value) ? pair.value.items[0] : undefined
    if (isMap(first) && at?.items) explain(first, at.items) // Said once: the others are alike.
  }
}
