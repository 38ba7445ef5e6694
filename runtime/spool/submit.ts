// What a loop's schema can't know: whether its repository, ref, branch, plan and agent are there. All problems at once.
import { Fault } from '#kernel/fault.ts'
import { type Problem, parseStored } from '#kernel/parse.ts'
import type { UserClaims } from '#kernel/tokens.ts'
import { profiles } from './agents/profiles.ts'
import { howToGet, howToReplace, type Inventory, readInventory } from './agents/programs.ts'
import { NewLoop } from './api.ts'
import { isAncestor, isCheckedOut } from './git/deliver.ts'
import { git, tryGit } from './git/git.ts'
import {
  atSource,
  type LocalSource,
  listRemote,
  openSource,
  type RemoteSource,
} from './git/source.ts'
import { findCommit, readFileAt } from './git/work.ts'
import { branchOf } from './loop.ts'

/** Of a loop that is not whole, what is: each check passes over what is missing. */
export type Draft = Partial<NewLoop>
type Given = { id: string; loop: Draft; claims: UserClaims; appFolder: string }

const argumentBytesMax = 120_000 // Linux takes 128 KiB in one argument.

/** Empty = it can be stored. */
export async function findProblems({ id, loop, claims, appFolder }: Given): Promise<Problem[]> {
  const hasToken = claims.channel === 'owner-token'
  const { name, result } = loop
  const branch = name === undefined ? result : branchOf(id, { name, result })
  return [
    ...agentProblems(loop, readInventory(appFolder), isTrusted(claims)),
    ...isolationProblems(loop, hasToken),
    ...(await branchNameProblems(branch)),
    ...(await repositoryProblems(loop, branch, isTrusted(claims))),
  ]
}

/** May have this machine's paths and private addresses read: policies/access says why these two. */
export const isTrusted = ({ channel }: UserClaims) =>
  channel === 'owner-token' || channel === 'owner-session'

/** What can be looked at in the world of a body that is no whole loop. */
export function toDraft(body: unknown): Draft {
  if (typeof body !== 'object' || body === null) return {}
  const fields = Object.entries(NewLoop.shape).flatMap(([key, schema]) => {
    const parsed = parseStored<unknown>(schema, (body as Record<string, unknown>)[key])
    return parsed.ok ? [[key, parsed.value]] : []
  })
  return Object.fromEntries(fields) as Draft
}

const problem = (path: string, value: string, message: string): Problem => ({
  path,
  value: JSON.stringify(value),
  message,
})

function agentProblems(
  { agent, prompt = '' }: Draft,
  { found, refused }: Inventory,
  isOwner: boolean,
): Problem[] {
  if (agent === undefined) return []
  if (typeof agent === 'string') {
    if (found[agent]) return []
    const known = refused[agent] && (isOwner ? refused[agent] : howToReplace(profiles[agent]))
    const why = known ?? `It is not installed. ${howToGet(profiles[agent])}`
    return [problem('agent', agent, `${why} Or name another agent.`)]
  }
  const isLong = Buffer.byteLength(prompt) > argumentBytesMax
  if (!isLong || !agent.command.some((part) => part.includes('{{prompt}}'))) return []
  const say =
    'The prompt is too long for an argument. Shorten it, or read it from $HOME/.treadle/prompt.md.'
  return [problem('agent.command', '{{prompt}}', say)]
}

function isolationProblems({ isolation }: Draft, hasToken: boolean): Problem[] {
  if (isolation !== 'none' || hasToken) return []
  return [
    problem(
      'isolation',
      isolation,
      "An agent without walls needs the owner's token. Leave this out.",
    ),
  ]
}

async function branchNameProblems(branch: string | undefined): Promise<Problem[]> {
  if (branch === undefined) return []
  const options = { repository: '/', msMax: 10_000 }
  const { exit } = await tryGit(['check-ref-format', `refs/heads/${branch}`], options)
  if (exit === 0 && branch !== 'HEAD') return []
  return [problem('result', branch, 'Git takes no such branch name. Choose another one.')]
}

type Place = {
  repository: string
  ref: string | undefined
  plan: string | undefined
  branch: string | undefined
}

async function repositoryProblems(
  { repository, ref, plan }: Draft,
  branch: string | undefined,
  isOwner: boolean,
): Promise<Problem[]> {
  if (repository === undefined) return []
  const place = { repository, ref, plan, branch }
  try {
    const source = await openSource(repository, isOwner ? 'this-machine' : 'public')
    return source.kind === 'local'
      ? await pathProblems(place, source)
      : await urlProblems(place, source)
  } catch (error) {
    if (!(error instanceof Fault)) throw error
    return [
      problem('repository', repository, `${error.publicMessage} Name another, or mend this one.`),
    ]
  }
}

async function pathProblems(
  { repository, ref, plan, branch }: Place,
  source: LocalSource,
): Promise<Problem[]> {
  const shape = await shapeProblem(source)
  if (shape) return [problem('repository', repository, shape)]
  if (ref === undefined) return []
  const base = await findCommit(atSource(source), ref)
  if (!base) {
    const say = `The repository has no such branch, tag or commit${ref === 'HEAD' ? ': commit something first' : ''}.`
    return [problem('ref', ref, say)]
  }
  return [
    ...(await planProblems(plan, source, base)),
    ...(branch === undefined ? [] : await branchProblems(source, branch, base)),
  ]
}

async function shapeProblem(source: LocalSource): Promise<string | undefined> {
  const { exit, output } = await tryGit(
    ['rev-parse', '--is-shallow-repository', '--show-object-format'],
    atSource(source),
  )
  if (exit !== 0) return 'It is no git repository. Run git init in it, or name another folder.'
  const [isShallow, format] = output.toString('utf8').split('\n')
  if (isShallow === 'true') return 'It is a shallow clone. Run git fetch --unshallow in it.'
  return format === 'sha1'
    ? undefined
    : 'Its objects are named by SHA-256, which sandboxes do not take yet.'
}

async function planProblems(
  plan: string | undefined,
  source: LocalSource,
  base: string,
): Promise<Problem[]> {
  if (plan === undefined || (await readFileAt(atSource(source), base, plan)) !== null) return []
  return [
    problem(
      'plan',
      plan,
      'The ref has no such file of at most 1 MiB. Commit it, or leave the plan out.',
    ),
  ]
}

/** The result must be able to become that branch: it is new, or it leads to where the loop starts. */
async function branchProblems(
  source: LocalSource,
  branch: string,
  base: string,
): Promise<Problem[]> {
  const ref = `refs/heads/${branch}`
  const old = await findCommit(atSource(source), ref)
  if (old && (await isCheckedOut(source, ref))) {
    return [
      problem('result', branch, 'This branch is checked out. Name a branch that nobody stands on.'),
    ]
  }
  if (old && !(await isAncestor(source, old, base))) {
    return [
      problem('result', branch, 'This branch has commits that the start lacks. Name another one.'),
    ]
  }
  const clash = old ? undefined : await findClash(source, branch)
  return clash
    ? [problem('result', branch, `It clashes with the branch ${clash}. Name another one.`)]
    : []
}

/** A ref is a file in git's naming: `a` and `a/b` can't both be branches. */
async function findClash(source: LocalSource, branch: string): Promise<string | undefined> {
  const parts = branch.split('/')
  const parents = parts.slice(1).map((_, at) => parts.slice(0, at + 1).join('/'))
  for (const parent of parents) {
    if (await findCommit(atSource(source), `refs/heads/${parent}`)) return parent
  }
  const below = ['for-each-ref', '--count=1', '--format=%(refname:short)', `refs/heads/${branch}/`]
  return (await git(below, atSource(source))) || undefined
}

const commitId = /^[0-9a-f]{40}$/

async function urlProblems(
  { ref: asked = 'HEAD', branch }: Place,
  source: RemoteSource,
): Promise<Problem[]> {
  const wanted = branch === undefined ? undefined : `refs/heads/${branch}`
  const refs = await listRemote(source, wanted === undefined ? [asked] : [asked, wanted])
  const base = refs.find(({ ref }) => ref === asked || ref.endsWith(`/${asked}`))
  const old = refs.find(({ ref }) => ref === wanted)
  const problems: Problem[] = []
  if (!base && !commitId.test(asked)) {
    problems.push(problem('ref', asked, 'The repository has no such branch or tag.'))
  }
  if (branch !== undefined && old && old.sha !== base?.sha) {
    problems.push(
      problem('result', branch, 'The repository has this branch already. Name another one.'),
    )
  }
  return problems
}
