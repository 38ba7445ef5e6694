// What `provider add` and `provider set` take beside the key: limits, labels, and the way out.
import { readFileSync } from 'node:fs'
import type { Command } from 'commander'
import type { ProviderChange } from '../proxy/api.ts'
import { toCount } from './command.ts'
import { failure } from './errors.ts'

export type SettingsOptions = {
  callsMax?: string
  region?: string
  retention?: string
  proxyUrl?: string
  caFile?: string
  expires?: string
}
type Settings = Pick<
  ProviderChange,
  'callsMax' | 'region' | 'retention' | 'proxyUrl' | 'ca' | 'expiresAt'
>

export const withSettings = (command: Command) =>
  command
    .option('--calls-max <count>', 'calls at once at most with this key; none = any number')
    .option('--region <name>', 'where it stands, for policies; none = nowhere')
    .option('--retention <labels>', 'what it promises of data, such as zdr, with commas between')
    .option('--proxy-url <url>', 'HTTP proxy on the way to it; none = directly')
    .option('--ca-file <file>', 'certificates (PEM) that are trusted for it; none = the system’s')
    .option('--expires <date>', 'when the key expires, such as 2027-03-31; none = never')

/** `none` takes a setting back. */
export function toSettings(options: SettingsOptions): Settings {
  const { callsMax, region, retention, proxyUrl, caFile, expires } = options
  return {
    ...(callsMax !== undefined && {
      callsMax: orNone(callsMax, (text) => toCount('--calls-max', text)),
    }),
    ...(region !== undefined && { region: orNone(region, String) }),
    ...(retention !== undefined && { retention: orNone(retention, toLabels) ?? [] }),
    ...(proxyUrl !== undefined && { proxyUrl: orNone(proxyUrl, String) }),
    ...(caFile !== undefined && { ca: orNone(caFile, readCertificates) }),
    ...(expires !== undefined && { expiresAt: orNone(expires, toMoment) }),
  }
}

const orNone = <T>(text: string, read: (text: string) => T): T | null =>
  text === 'none' ? null : read(text)

const toLabels = (text: string) => text.split(',').map((label) => label.trim())

function readCertificates(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    throw failure('cli/usage', `The file ${path} can't be read: ${(cause as Error).message}.`)
  }
}

function toMoment(text: string): string {
  const ms = Date.parse(text)
  if (Number.isFinite(ms)) return new Date(ms).toISOString()
  throw failure('cli/usage', `--expires ${text} is no date. Write one such as 2027-03-31.`)
}
