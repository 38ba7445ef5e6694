// What options say of a loop file, and which option mends what is wrong in one.
import type { Command } from 'commander'
import { type Draft, toAmount, toGate } from './draft.ts'
import type { Gate } from './surroundings.ts'

const words = [
  ...['name', 'repository', 'ref', 'agent', 'model', 'provider'],
  ...['prompt', 'promptFile', 'plan', 'isolation'],
] as const
const caps = ['iterations', 'time', 'idle', 'usd', 'tokens'] as const

export type DraftOptions = { [key in (typeof words)[number] | (typeof caps)[number]]?: string } & {
  gate?: readonly string[]
}

export const withDraft = (command: Command): Command =>
  command
    .option('--name <word>', 'its name')
    .option('--repository <path>', 'where the work is: a path from the file on, or a URL')
    .option('--ref <ref>', 'the branch, tag or commit to start from')
    .option('--agent <agent>', 'which agent does the passes')
    .option('--model <model>', 'the model that it asks for')
    .option('--provider <provider>', 'a provider by name')
    .option('--prompt <text>', 'what every pass is told')
    .option('--prompt-file <file>', 'the file it stands in; with --prompt, that is written')
    .option('--plan <file>', 'a markdown file with boxes, in the repository')
    .option('--gate <gate...>', 'commands that prove the work, each as it is or `name: command`')
    .option('--iterations <count>', 'passes at most')
    .option('--time <duration>', 'such as 2h')
    .option('--idle <duration>', 'such as 10m')
    .option('--usd <amount>', 'US dollars at most')
    .option('--tokens <count>', 'tokens at most')
    .option('--isolation <kind>', 'namespaces, or none where you trust the agent')

export function toDraft(options: DraftOptions): Draft {
  const said = (keys: readonly (keyof DraftOptions)[]) =>
    keys.flatMap((key) =>
      options[key] === undefined ? [] : [[key, options[key] as string] as const],
    )
  const numbers = said(caps).map(([key, text]) => [key, toAmount(text)])
  const gates: Gate[] = []
  for (const text of options.gate ?? []) gates.push(toGate(text, gates))
  return {
    ...Object.fromEntries(said(words)),
    ...(gates.length > 0 && { gates }),
    ...(numbers.length > 0 && { caps: Object.fromEntries(numbers) }),
  }
}

/** The option for a path of the loop file, and what the draft has there. */
export function optionAt(draft: Draft, path: string): { option: string; value: unknown } {
  const keys = path.split('.')
  const value = keys.reduce<unknown>(
    (at, key) => (at as Record<string, unknown> | undefined)?.[key],
    draft,
  )
  const [first = '', second = ''] = keys
  const name = first === 'caps' ? second : first === 'gates' ? 'gate' : first
  return { option: `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`, value }
}
