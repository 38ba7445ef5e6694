// How to get a loop's result with git, as a line to copy. Names come from others: each is quoted for a shell.
import type { LoopSummary } from '../../spool/api.ts'

/** POSIX sh: whatever is inside single quotes stays as it is. */
export const toQuoted = (text: string): string =>
  /^[\w@%+=:,./-]+$/.test(text) && !text.startsWith('-')
    ? text
    : `'${text.replaceAll("'", "'\\''")}'`

export type GitCommand = { says: string; command: string }

type Told = Pick<LoopSummary, 'branch' | 'bundle' | 'repository'>

/** Undefined where there is no result, or no safe line for it. */
export function toGitCommand({ branch, bundle, repository }: Told): GitCommand | undefined {
  if (branch === null && bundle === null) return undefined
  // A terminal obeys control characters that are pasted into it.
  if (/\p{Cc}/u.test(`${branch}${bundle}${repository}`)) return undefined
  if (bundle !== null || branch === null) {
    const command = `git fetch ${toQuoted(bundle ?? '')} 'refs/heads/*:refs/heads/*'`
    return { says: 'It could not go to the repository. In a clone of it:', command }
  }
  const name = toQuoted(branch)
  if (repository.startsWith('/')) {
    return { says: 'To look at it:', command: `git -C ${toQuoted(repository)} switch ${name}` }
  }
  const command = `git fetch ${toQuoted(repository)} ${name}:${name} && git switch ${name}`
  return { says: 'In a clone of the repository:', command }
}

/** An address to open, for pages of hosts alone; anything else is shown as text. */
export const toLink = (repository: string): string | undefined => {
  const url = URL.parse(repository)
  const isSafe = url?.protocol === 'https:' && url.username === '' && url.password === ''
  return isSafe ? url.href : undefined
}
