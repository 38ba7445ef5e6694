// Words of a model: paragraphs, and code between fences or back-ticks. Nothing else of markdown is obeyed.
import { toVisible } from './visible.ts'

export type Span = { text: string; isCode: boolean }
export type Block = { kind: 'text'; spans: Span[] } | { kind: 'code'; text: string }

const fence = /^ {0,3}(`{3,}|~{3,})[^\n`]*\n([\s\S]*?)(?:^ {0,3}\1[^\S\n]*$|$(?![\s\S]))/gm

export function toBlocks(text: string): Block[] {
  const blocks: Block[] = []
  let from = 0
  const say = (part: string) => {
    if (part.trim() !== '')
      blocks.push({ kind: 'text', spans: toSpans(toVisible(part.replace(/^\n+/, '').trimEnd())) })
  }
  for (const found of text.matchAll(fence)) {
    say(text.slice(from, found.index))
    blocks.push({ kind: 'code', text: toVisible(found[2]!.replace(/\n$/, '')) })
    from = found.index + found[0].length
  }
  say(text.slice(from))
  return blocks
}

const toSpans = (text: string): Span[] =>
  text
    .split(/(`[^`\n]+`)/)
    .filter((part) => part !== '')
    .map((part) => {
      const isCode = part.length > 2 && part.startsWith('`') && part.endsWith('`')
      return { text: isCode ? part.slice(1, -1) : part, isCode }
    })
