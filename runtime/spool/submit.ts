// What a loop's schema can't know: whether its repository, ref, branch, plan and agent are there. All problems at once.
import { Fault } from '#kernel/fault.ts'
import type { Problem } from '#kernel/parse.ts'
import type { UserClaims } from '#kernel/tokens.ts'
import { missingPackage } from './agents/installed.ts'
import type { NewLoop } from './api.ts'
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

type Given = { id: string; loop: NewLoop; claims: UserClaims; appFolder: string }

const argumentBytesMax = 120_000 // Linux takes 128 KiB in one argument.

/** Empty = it can be stored. */
export async function findProblems({ id, loop, claims, appFolder }: Given): Promise<Problem[]> {
  const isOwner = claims.channel === 'owner-token'
  const branch = branchOf(id, loop)
  return [
    ...agentProblems(loop, appFolder),
    ...isolationProblems(loop, isOwner),
    ...(await branchNameProblems(branch)),
    ...(await repositoryProblems(loop, branch, isOwner)),
  ]
}

const problem = (path: string, value: string, message: string): Problem => ({
  path,
  value: JSON.stringify(value),
  message,
})

function agentProblems({ agent, prompt }: NewLoop, appFolder: string): Problem[] {
  const missing = missingPackage(agent, appFolder)
  if (missing) {
    return [
      problem(
        'agent',
        String(agent),
        `It is not installed. Install ${missing}, or name another agent.`,
      ),
    ]
  }
  if (typeof agent !== 'object') return []
  const isLong = Buffer.byteLength(prompt) > argumentBytesMax
  if (!isLong || !agent.command.some((part) => part.includes('{{prompt}}'))) return []
  const say =
    'The prompt is too long for an argument. Shorten it, or read it from $HOME/.treadle/prompt.md.'
  return [problem('agent.command', '{{prompt}}', say)]
}

function isolationProblems({ isolation }: NewLoop, isOwner: boolean): Problem[] {
  if (isolation === 'namespaces' || isOwner) return []
  return [
    problem(
      'isolation',
      isolation,
      "An agent without walls needs the owner's token. Leave this out.",
    ),
  ]
}

async function branchNameProblems(branch: string): Promise<Problem[]> {
  const options = { repository: '/', msMax: 10_000 }
  const { exit } = await tryGit(['check-ref-format', `refs/heads/${branch}`], options)
  if (exit === 0 && branch !== 'HEAD') return []
  return [problem('result', branch, 'Git takes no such branch name. Choose another one.')]
}

async function repositoryProblems(
  loop: NewLoop,
  branch: string,
  isOwner: boolean,
): Promise<Problem[]> {
  try {
    const source = await openSource(loop.repository, isOwner ? 'this-machine' : 'public')
    return source.kind === 'local'
      ? await pathProblems(loop, source, branch)
      : await urlProblems(loop, source, branch)
  } catch (error) {
    if (!(error instanceof Fault)) throw error
    return [
      problem(
        'repository',
        loop.repository,
        `${error.publicMessage} Name another, or mend this one.`,
      ),
    ]
  }
}

async function pathProblems(
  loop: NewLoop,
  source: LocalSource,
  branch: string,
): Promise<Problem[]> {
  const shape = await shapeProblem(source)
  if (shape) return [problem('repository', loop.repository, shape)]
  const base = await findCommit(atSource(source), loop.ref)
  if (!base) {
    const say = `The repository has no such branch, tag or commit${loop.ref === 'HEAD' ? ': commit something first' : ''}.`
    return [problem('ref', loop.ref, say)]
  }
  return [
    ...(await planProblems(loop, source, base)),
    ...(await branchProblems(source, branch, base)),
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
  { plan }: NewLoop,
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
  loop: NewLoop,
  source: RemoteSource,
  branch: string,
): Promise<Problem[]> {
  const refs = await listRemote(source, [loop.ref, `refs/heads/${branch}`])
  const base = refs.find(({ ref }) => ref === loop.ref || ref.endsWith(`/${loop.ref}`))
  const old = refs.find(({ ref }) => ref === `refs/heads/${branch}`)
  const problems: Problem[] = []
  if (!base && !commitId.test(loop.ref)) {
    problems.push(problem('ref', loop.ref, 'The repository has no such branch or tag.'))
  }
  if (old && old.sha !== base?.sha) {
    problems.push(
      problem('result', branch, 'The repository has this branch already. Name another one.'),
    )
  }
  return problems
}
