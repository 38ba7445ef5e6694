import { existsSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import type { Provider } from '../../proxy/api.ts'
import type { Context, SubCommand } from '../command.ts'
import { failure } from '../errors.ts'
import { type Draft, toYaml } from '../new/draft.ts'
import { type DraftOptions, optionAt, toDraft, withDraft } from '../new/flags.ts'
import { interview, toDefaults } from '../new/interview.ts'
import { findProblems, loopFileShape, type Shape } from '../new/judge.ts'
import { createPerson, Left, type Person } from '../new/person.ts'
import { lookAround } from '../new/surroundings.ts'
import { assertFree, assertThere, type NewFile, writeAll } from '../new/write.ts'

type Options = DraftOptions & { yes?: boolean; force?: boolean }

export const loopNew: SubCommand<Options> = {
  name: 'loop new',
  args: '[file]',
  summary: 'Write a loop file, by questions or by options.',
  details:
    'Defaults come from the folder: its git repository, what its tests are, its PLAN.md. What an option says is not asked. Nothing is overwritten without --force, and Ctrl-C leaves nothing behind.',
  examples: [
    ['loop new', 'ask, and write loop.yaml'],
    [
      'loop new fix.yaml --yes --model claude-sonnet-4-5 --prompt "Make the tests pass."',
      'ask nothing',
    ],
  ],
  options: (command) =>
    withDraft(command)
      .option('-y, --yes', 'ask nothing: what no option says is taken from the folder')
      .option('--force', 'overwrite files that are there'),
  async run(context, [file = 'loop.yaml'], options) {
    const mode = options.force ? 'overwrite' : 'keep'
    const path = resolve(file)
    assertFree([path], mode)
    const shape = loopFileShape()
    const given = toDraft(options)
    assertRight(given, shape, 'partly')
    const models = await findModels(context)
    const found = lookAround(dirname(path))
    const defaults = toDefaults(found, dirname(path), models)
    if (found.hasLoosePlan) context.out.note('PLAN.md is not committed, so no pass would see it.')
    const asksNobody = options.yes || context.out.isJson || !context.stdin.isTTY
    const write = (draft: Draft) => {
      assertRight(draft, shape, 'whole')
      return writeLoop({ draft, file, path, mode, shape }, context)
    }
    if (asksNobody) return write(withDefaults(given, defaults))
    const isThere = (name: string) => existsSync(resolve(dirname(path), name))
    using person = createPerson(context)
    try {
      const draft = await interview(given, defaults, { ...person, shape, models, isThere })
      return (await isAgreed(draft, file, shape, person)) ? write(draft) : leave(context)
    } catch (error) {
      if (!(error instanceof Left)) throw error
      return leave(context)
    }
  },
}

function withDefaults(given: Draft, defaults: Draft): Draft {
  const { promptFile, ...rest } = defaults
  const isPrompted = given.prompt !== undefined || given.promptFile !== undefined
  return {
    ...rest,
    ...(!isPrompted && promptFile !== undefined && { promptFile }),
    ...given,
    caps: { ...defaults.caps, ...given.caps },
  }
}

/** Every problem at once, by the options that mend them. Partly: what is not said yet is no problem. */
function assertRight(draft: Draft, shape: Shape, extent: 'partly' | 'whole'): void {
  const isSaid = (path: string) => path.split('.')[0]! in draft
  const problems = findProblems(shape, draft)
    .filter(({ path }) => extent === 'whole' || isSaid(path))
    .map(({ path, message }) => {
      const { option, value } = optionAt(draft, path)
      return value === undefined
        ? { path: option, message: 'It is needed, and has no default here.' }
        : { path: option, value: JSON.stringify(value), message }
    })
  if (extent === 'whole' && draft.prompt === undefined && draft.promptFile === undefined) {
    problems.push({ path: '--prompt', message: 'It is needed, or --prompt-file, or a PROMPT.md.' })
  }
  if (problems.length === 0) return
  throw failure('cli/usage', 'No loop file can be made of this.', { problems })
}

/** For a default and a hint. No instance, no models: then the person knows. */
async function findModels({ connect }: Context): Promise<string[]> {
  try {
    const client = await connect()
    const { items } = await client.json<{ items: Provider[] }>('/api/providers')
    return items.flatMap(({ models }) => models)
  } catch {
    return []
  }
}

async function isAgreed(draft: Draft, file: string, shape: Shape, { say, ask }: Person) {
  say(toYaml(toFileDraft(draft), shape))
  return !/^n/i.test((await ask(`Write it to ${file}? [yes]: `)).trim())
}

/** A prompt that goes into a file of its own is no part of the loop file. */
function toFileDraft({ prompt, ...rest }: Draft): Draft {
  return rest.promptFile === undefined && prompt !== undefined ? { ...rest, prompt } : rest
}

type Writing = {
  draft: Draft
  file: string
  path: string
  mode: 'keep' | 'overwrite'
  shape: Shape
}

function writeLoop({ draft, file, path, mode, shape }: Writing, { out }: Context): number {
  const { prompt, promptFile } = draft
  const files: NewFile[] = [{ path, text: toYaml(toFileDraft(draft), shape) }]
  if (prompt !== undefined && promptFile !== undefined) {
    files.push({ path: resolve(dirname(path), promptFile), text: `${prompt}\n` })
  } else if (promptFile !== undefined) assertThere(resolve(dirname(path), promptFile))
  const paths = files.map((each) => each.path)
  assertFree(paths, mode)
  writeAll(files, mode)
  out.show({ file: path, files: paths, loop: toFileDraft(draft) }, () => [`Wrote ${file}.`])
  out.note(`Run it: treadle loop run ${file}`)
  return 0
}

function leave({ out }: Context): number {
  out.note('Nothing is written.')
  return 130 // As Ctrl-C ends any command.
}
