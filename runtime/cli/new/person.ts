import { createInterface } from 'node:readline/promises'
import type { Context } from '../command.ts'
import type { Asking } from './interview.ts'

export type Person = Disposable & Pick<Asking, 'ask' | 'say' | 'complain'>

/** Thrown where the person leaves in the middle: Ctrl-C, Ctrl-D, or a signal. */
export class Left extends Error {
  override readonly name = 'Left'
}

/** A person at the terminal. */
export function createPerson({ stdin, stdout, out, interrupted }: Context): Person {
  const { colours } = out.look
  const left = new AbortController()
  const reader = createInterface({ input: stdin, output: stdout, terminal: true, historySize: 0 })
  reader.on('SIGINT', () => left.abort())
  reader.on('close', () => left.abort()) // Ctrl-D.
  const signal = AbortSignal.any([left.signal, interrupted])
  return {
    async ask(question) {
      try {
        return await reader.question(colours.bold(question), { signal })
      } catch (error) {
        if (!signal.aborted) throw error
        stdout.write('\n')
        throw new Left()
      }
    },
    say: (text) => void stdout.write(`\n${colours.dim(text)}\n`),
    complain: (text) => void stdout.write(`${colours.red('✗')} ${text}\n`),
    [Symbol.dispose]: () => reader.close(),
  }
}
