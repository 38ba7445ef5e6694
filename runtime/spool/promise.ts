// Whether an agent's last message promises that all is done.

const contextChars = 60 // What an echo carries along from before the promise.
const contextCharsMin = 12 // Fewer are no sign of an echo: `say ` can stand before a promise by chance.

/**
 * True where the message ends with the promise and the end is not an echo of the prompt, which names the promise too.
 * **Limits.** A prompt whose promise stands at its very start can be echoed unseen.
 */
export function isPromised(message: string | null, promise: string, prompt: string): boolean {
  const said = toPlain(message ?? '')
  const wanted = toPlain(promise)
  if (wanted === '' || !said.endsWith(wanted)) return false
  return !contextsOf(wanted, toPlain(prompt)).some((context) => said.endsWith(context))
}

/** Each place of the promise in the prompt, with the words before it. */
function contextsOf(promise: string, prompt: string): string[] {
  const contexts: string[] = []
  for (let at = prompt.indexOf(promise); at !== -1; at = prompt.indexOf(promise, at + 1)) {
    if (at < contextCharsMin) continue
    contexts.push(prompt.slice(Math.max(0, at - contextChars), at + promise.length))
  }
  return contexts
}

const toPlain = (text: string) => text.replace(/\s+/g, ' ').trim()
