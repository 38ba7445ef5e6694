// The end of the last answer to a sandbox whose policy keeps no words: whoever runs its pass must see whether it is done.
// In memory alone, as long as the sandbox's state is.
import type { SandboxState } from './sandboxes.ts'

const charsMax = 16 * 1024 // As much as the ledger would keep.
const words = new WeakMap<SandboxState, string>()

/** @param text Empty = the ledger has them. */
export function holdWords(state: SandboxState, text: string): void {
  if (text === '') words.delete(state)
  else words.set(state, text.slice(-charsMax))
}

export const wordsOf = (state: SandboxState | undefined): string =>
  (state && words.get(state)) ?? ''
