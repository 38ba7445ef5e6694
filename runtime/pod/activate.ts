import type { Activation } from './api.ts'
import { fs } from './builtin.ts'
import { fault } from './errors.ts'
import type { Pod } from './pod.ts'

/** Opens the way out, and keeps the token for the agent. Answers the origin at which the proxy is found. */
export async function activate(pod: Pod, { token }: Activation): Promise<string | null> {
  if (pod.activation) throw fault('pod/activated')
  if (token !== null && pod.line === undefined) throw fault('pod/no-line')
  pod.activation = { token, origin: null }
  if (token !== null) {
    const { startForwarder } = await import('./forwarder.ts')
    pod.activation.origin = await startForwarder(pod.proxyPort, pod.line!)
  }
  return pod.activation.origin
}

const standardInput = 0
const lineBytesMax = 20 * 1024 // A token's 16 KiB, and some.

/**
 * Waits for the first line of standard input, synchronously: weaver writes it in the moment of the start, and the
 * stream that Node has for it would cost more than the wait. Null where weaver is gone.
 */
export function readFirstLine(): string | null {
  const buffer = Buffer.alloc(lineBytesMax)
  let bytes = 0
  while (bytes < lineBytesMax) {
    const read = fs.readSync(standardInput, buffer, bytes, lineBytesMax - bytes, null)
    if (read === 0) return null
    bytes += read
    if (buffer[bytes - 1] === lineEnd) return buffer.toString('utf8', 0, bytes - 1)
  }
  throw fault('pod/too-large', { say: `At most ${lineBytesMax} bytes.` })
}
const lineEnd = 0x0a
