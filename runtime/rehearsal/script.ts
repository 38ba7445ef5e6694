// What the model does next. A pure function of what the agent shows, so that any number of agents share
// one process, and a repeated request gets the same turn.

/** One turn of the model, in nobody's wire: words, and at most one of run, read and edit. */
export type Step = {
  say?: string
  /** A shell command. */
  run?: string
  /** A file, by its path in the repository. */
  read?: string
  /** The text that stands once in the file, and what shall stand there. */
  edit?: { path: string; from: string; to: string }
  /** How long the model thinks before it answers. */
  waitMs?: number
  usage?: Usage
}

/** `inputTokens` holds all of the prompt, cached ones included. */
export type Usage = { inputTokens: number; cachedTokens: number; outputTokens: number }

/**
 * Each pass of a loop is a fresh agent that remembers nothing. So the first step looks around, and
 * what it printed decides which steps follow.
 */
export type Script = {
  look: Step
  /** The first one whose `when` stands in what `look` printed. One without `when` always fits. */
  choices: readonly { when?: RegExp; steps: readonly Step[] }[]
  /** Begins the steps again after the last one, instead of repeating that one. */
  endless?: true
}

const lost: Step = { say: 'What I see here is not what my script is for. I stop without a change.' }

/** `results` are the texts of the distinct tool results shown so far, oldest first. */
export function planStep({ look, choices, endless }: Script, results: readonly string[]): Step {
  const [seen, ...later] = results
  if (seen === undefined) return look
  const steps = choices.find(({ when }) => !when || when.test(seen))?.steps ?? [lost]
  const at = endless ? later.length % steps.length : Math.min(later.length, steps.length - 1)
  return steps[at] ?? lost
}

/** Grows with the conversation as real ones do, and can be computed by whoever checks a ledger. */
export const planUsage = (step: Step, results: number): Usage =>
  step.usage ?? { inputTokens: 1_000 + 100 * results, cachedTokens: 900, outputTokens: 40 }

export const needsTool = ({ run, read, edit }: Step) => Boolean(run ?? read ?? edit)

/** The folder the agent works in, from the first command's output: some edit tools want whole paths. */
export function findFolder(results: readonly string[]): string | undefined {
  for (const text of results) {
    const found = /\bcwd=(\/[^\s"\\]*)/.exec(text)
    if (found) return found[1]
  }
  return undefined
}
