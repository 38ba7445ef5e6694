import { z } from 'zod'
import { Bytes, Duration } from '#kernel/units.ts'

const AbsolutePath = z.string().regex(/^\/[^\0\n:]*$/, 'Write an absolute path without a colon.')
// A socket's path has 107 bytes, and `/<id>/line/proxy.sock` takes 33.
const socketFolderCharsMax = 70

/**
 * What config/defaults.yaml explains key by key. The four paths come from the starter, which knows
 * the state folder.
 */
export const WeaverConfig = z.strictObject({
  backend: z.enum(['auto', 'bubblewrap', 'unshare']),
  cgroups: z.enum(['auto', 'off']),
  readableFolder: AbsolutePath,
  sandboxFolder: AbsolutePath,
  runFolder: AbsolutePath.max(
    socketFolderCharsMax,
    'Socket paths are short: take a shorter folder.',
  ),
  lineSocket: AbsolutePath.max(107),
  uidBase: z.int().min(1_000).max(4_000_000_000),
  uidCount: z.int().min(1).max(100_000),
  warmMax: z.int().min(0).max(64),
  sandboxesMax: z.int().min(1).max(1_000),
  lifeMsMax: Duration,
  startMsMax: Duration,
  watchMs: Duration,
  memoryBytesMax: Bytes,
  processesMax: z.int().min(32).max(100_000),
  openFilesMax: z.int().min(256).max(1_000_000),
  diskBytesMax: Bytes,
  diskFilesMax: z.int().min(1_000).max(100_000_000),
  diskReserveBytes: Bytes,
  fileBytesMax: Bytes,
  temporaryBytesMax: Bytes,
  checkoutBytesMax: Bytes,
  snapshotBytesMax: Bytes,
  lineConnectionsMax: z.int().min(1).max(1_000),
})
export type WeaverConfig = Readonly<z.infer<typeof WeaverConfig>>
