// Bodies that come packed are unpacked for the scan, within bounds. They go upstream as they came, unless they must be changed.
import { promisify } from 'node:util'
import { brotliDecompress, gunzip, inflate, zstdDecompress } from 'node:zlib'
import type { RawHeaders } from './exchange.ts'
import { Refusal } from './refusal.ts'

type Unpack = (packed: Buffer, options: { maxOutputLength: number }) => Promise<Buffer>

/** By `deflate` RFC 9110 means the format of zlib. The bare one is refused: a body can be made that is both, and two things. */
const unpackers: Readonly<Record<string, Unpack>> = {
  gzip: promisify(gunzip),
  'x-gzip': promisify(gunzip),
  deflate: promisify(inflate),
  br: promisify(brotliDecompress),
  zstd: promisify(zstdDecompress),
}

/** The one packing of a body, or null. Refuses what is unknown, and one packing inside another. */
export function readEncoding(headers: RawHeaders): string | null {
  let encoding: string | null = null
  for (let i = 0; i < headers.length; i += 2) {
    if (headers[i]!.length !== 16 || headers[i]!.toLowerCase() !== 'content-encoding') continue
    const said = headers[i + 1]!.trim().toLowerCase()
    if (said === '' || said === 'identity') continue
    if (encoding !== null || !Object.hasOwn(unpackers, said)) throw unknown(said)
    encoding = said
  }
  return encoding
}

const unknown = (said: string) => new Refusal('body/encoded', `It came as ${said.slice(0, 40)}.`)

/**
 * The body as it was before it was packed.
 * **Limits.** Not one byte over `bytesMax` is unpacked: a small body may stand for a very large one.
 */
export async function decodeBody(
  packed: Buffer,
  encoding: string,
  bytesMax: number,
): Promise<Buffer> {
  const unpack = unpackers[encoding]
  if (!unpack) throw unknown(encoding)
  try {
    return await unpack(packed, { maxOutputLength: bytesMax })
  } catch (error) {
    if ((error as { code?: string }).code === 'ERR_BUFFER_TOO_LARGE') {
      throw new Refusal('body/too-large', `Unpacked, ${bytesMax} bytes are the most.`)
    }
    throw new Refusal('body/invalid', `It can't be unpacked as ${encoding}.`)
  }
}
