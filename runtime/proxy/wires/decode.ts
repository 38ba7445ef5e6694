// Undoes a content-encoding for the reader alone; the client gets the bytes as they came.
import type { Transform } from 'node:stream'
import {
  constants,
  createBrotliDecompress,
  createGunzip,
  createInflate,
  createZstdDecompress,
} from 'node:zlib'

// A stream may be flushed in the middle and cut at any point: what came is decoded, its missing end is no error.
const zlib = { finishFlush: constants.Z_SYNC_FLUSH }
const decoders: Readonly<Record<string, () => Transform>> = {
  gzip: () => createGunzip(zlib),
  'x-gzip': () => createGunzip(zlib),
  deflate: () => createInflate(zlib),
  br: () => createBrotliDecompress({ finishFlush: constants.BROTLI_OPERATION_FLUSH }),
  zstd: () => createZstdDecompress({ finishFlush: constants.ZSTD_e_flush }),
}

/** Null = the bytes are plain; undefined = an encoding, or several, that can't be undone here. */
export function createDecoder(encoding: string | undefined): Transform | null | undefined {
  const name = encoding?.trim().toLowerCase() ?? ''
  return name === '' || name === 'identity' ? null : decoders[name]?.()
}
