// The head of a git bundle, as gitformat-bundle(5) has it. Read by us, because `git fetch` from a bundle checks no
// objects before git 2.46: the pack behind this head goes to `index-pack --strict` instead.
import { open } from 'node:fs/promises'

export type BundleHead = {
  /** Commits that the receiver must have. */
  prerequisites: string[]
  refs: { sha: string; ref: string }[]
  /** Where the pack begins. */
  packOffset: number
}

const headBytesMax = 16 * 1024 // A bundle of ours names one ref and one base.

/** The head of the bundle in a file, or undefined where it is none. */
export async function readBundleHead(path: string): Promise<BundleHead | undefined> {
  await using file = await open(path)
  const { bytesRead, buffer } = await file.read(Buffer.alloc(headBytesMax), 0, headBytesMax, 0)
  return parseBundleHead(buffer.subarray(0, bytesRead))
}

export function parseBundleHead(bytes: Buffer): BundleHead | undefined {
  const end = bytes.indexOf('\n\n')
  if (end === -1) return undefined
  const [signature, ...lines] = bytes.toString('latin1', 0, end).split('\n')
  if (signature !== '# v2 git bundle' && signature !== '# v3 git bundle') return undefined
  const head: BundleHead = { prerequisites: [], refs: [], packOffset: end + 2 }
  for (const line of lines) {
    if (line === '@object-format=sha1') continue
    const [, minus, sha, rest] = /^(-?)([0-9a-f]{40})(?: (.*))?$/.exec(line) ?? []
    if (!sha) return undefined
    if (minus) head.prerequisites.push(sha)
    else head.refs.push({ sha, ref: rest ?? '' })
  }
  return head
}
