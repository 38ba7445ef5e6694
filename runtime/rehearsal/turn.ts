import { exampleOf } from './json-schema.ts'
import { findFolder, needsTool, planStep, planUsage, type Script, type Step } from './script.ts'
import { planCall } from './tools.ts'
import type { Conversation, Turn } from './wires/wire.ts'

/** The model's next turn. The same request always gets the same one, but for `id` and `at`. */
export function planTurn(
  script: Script,
  conversation: Conversation,
  { id, at }: { id: string; at: Date },
): { step: Step; turn: Turn } {
  const { model, tools } = conversation
  const results = distinctResults(conversation)
  const step = tools.length === 0 ? aside(conversation) : planStep(script, results)
  const call = planCall(step, tools, findFolder(results))
  const text = call || !needsTool(step) ? step.say : refuse(step)
  return { step, turn: { id, at, model, text, call, usage: planUsage(step, results.length) } }
}

/** A resumed session may show a result twice: one call has one. */
export const distinctResults = ({ results }: Conversation): string[] => [
  ...new Map(results.map(({ call, text }) => [call, text])).values(),
]

/** Agents also ask without tools: for a title, a summary, or a decision in JSON. */
const aside = ({ jsonSchema }: Conversation): Step => ({
  say: jsonSchema ? JSON.stringify(exampleOf(jsonSchema)) : 'Rehearsal',
})

/** Said in place of a call, and without a promise: the pass then ends with a reason that can be read. */
const refuse = ({ run, read, edit }: Step) =>
  `No tool offered here can do what my script asks: ${JSON.stringify({ run, read, edit })}`
