// Short words about what was just done, at the page's foot; read out by screen readers.
import { Refusal } from './ask.ts'

export type Notice = { id: number; kind: 'done' | 'failed'; text: string; undo?: () => void }
const shownMs = 6_000
const noticesMax = 4

class Notices {
  items: Notice[] = $state([])
  #last = 0

  say(text: string, more: { kind?: Notice['kind']; undo?: () => void } = {}): void {
    const id = ++this.#last
    this.items = [...this.items, { id, kind: 'done' as const, text, ...more }].slice(-noticesMax)
    setTimeout(() => this.drop(id), shownMs)
  }

  /** Runs it, and tells how it went. Answers what it answered, or undefined where it was refused. */
  async try<T>(work: () => Promise<T>, done?: string): Promise<T | undefined> {
    try {
      const result = await work()
      if (done !== undefined) this.say(done)
      return result
    } catch (error) {
      const text = error instanceof Refusal ? error.message : String(error)
      this.say(text, { kind: 'failed' })
      return undefined
    }
  }

  drop(id: number): void {
    this.items = this.items.filter((notice) => notice.id !== id)
  }
}

export const notices = new Notices()
