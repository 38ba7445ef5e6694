// Models that never get there, one for each way in which a loop must end by itself. They do the same
// in every repository.
import type { Script, Step } from '../script.ts'
import { lookAtFolder, promise } from './look.ts'

// A file that each pass changes: only what the script is about may end the loop, not a lack of change.
const change = 'echo $(($(cat ATTEMPTS 2>/dev/null || echo 0) + 1)) > ATTEMPTS'

const always = (...steps: Step[]): Script => ({ look: lookAtFolder, choices: [{ steps }] })

/** Ticks every box and promises, and mends nothing. */
export const saysPromiseTooEarly = always(
  { say: 'I tick what is open.', run: `${change}; sed -i 's/\\[ \\]/[x]/' PLAN.md` },
  { say: `It is all done.\n\n${promise}` },
)

/** Calls a tool after each answer, for ever. The wait keeps it from taking a processor for itself. */
export const neverStops: Script = {
  ...always({ say: 'One more look.', run: 'ls', waitMs: 200 }),
  endless: true,
}

/** Talks and changes nothing. */
export const noProgress = always({ say: 'I have read it all. I see nothing that I would change.' })

/** Deletes every line of the plan, and promises. */
export const emptiesPlan = always(
  { say: 'With no item there is nothing open.', run: ': > PLAN.md' },
  { say: `The plan has no open item.\n\n${promise}` },
)

/** Uses far more tokens than it needs, for ever. */
export const spends: Script = {
  ...always({
    say: 'I read everything once more.',
    run: 'ls',
    waitMs: 200,
    usage: { inputTokens: 150_000, cachedTokens: 0, outputTokens: 10_000 },
  }),
  endless: true,
}

/** Changes something in each pass, and the gates fail as before. */
export const sameError = always(
  { say: 'Perhaps another number helps.', run: change },
  { say: 'I changed a number. The next pass will see.' },
)

/** Names the promise as a quotation, in mid-sentence, and does not make it. */
export const quotesPromise = always(
  { say: 'I note how often I tried.', run: change },
  {
    say: `I am told: "end with ${promise} when all is done". It is not done: I end without it.`,
  },
)

/** Thinks for long before each answer. */
export const slow: Script = {
  look: { ...lookAtFolder, waitMs: 30_000 },
  choices: [{ steps: [{ say: 'That took a while, and led to nothing.', waitMs: 30_000 }] }],
}
