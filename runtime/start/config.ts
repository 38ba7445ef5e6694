import { existsSync, readdirSync } from 'node:fs'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { z } from 'zod'
import { fillPlaces, mergeLayers, readLayer } from '#kernel/config.ts'
import { type Parsed, type Problem, parse } from '#kernel/parse.ts'
import { AuthConfig } from '../auth/config.ts'
import { ProxyConfig } from '../proxy/config.ts'
import { SpoolConfig } from '../spool/config.ts'
import { ThreadsConfig } from '../threads/config.ts'
import { WeaverConfig } from '../weaver/config.ts'
import type { Options } from './options.ts'

/** What config/defaults.yaml explains key by key. */
export const Config = z.strictObject({
  /** URLs of roles that run elsewhere. */
  peers: z.strictObject({
    auth: z.url().optional(),
    proxy: z.url().optional(),
    weaver: z.url().optional(),
    spool: z.url().optional(),
    threads: z.url().optional(),
  }),
  log: z.strictObject({ level: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'silent']) }),
  auth: AuthConfig,
  proxy: ProxyConfig,
  weaver: WeaverConfig,
  spool: SpoolConfig,
  threads: ThreadsConfig,
})
export type Config = z.infer<typeof Config>

const folder = new URL('../../config/', import.meta.url)

/** Names of places that only this start knows, as `{state}` in config/defaults.yaml. */
export type Places = Readonly<Record<'state' | 'run' | 'keys' | 'readable' | 'app', string>>

/** Flag over file over environment over default; all problems at once. */
export function loadConfig(options: Options, places: Places): Parsed<Config> {
  const environment = new URL(`environments/${options.environment}/config.yaml`, folder)
  if (!existsSync(environment)) {
    const known = readdirSync(new URL('environments/', folder)).join(', ')
    const message = `No such environment. Choose from: ${known}.`
    return { ok: false, problems: [{ path: '--environment', value: options.environment, message }] }
  }
  const file = readFile(options.config)
  if ('problem' in file) return { ok: false, problems: [file.problem] }
  const layers = [
    readLayer(new URL('defaults.yaml', folder)),
    readLayer(environment),
    file.layer,
    flagLayer(options),
  ]
  return parse(Config, fillPlaces(mergeLayers(layers), places))
}

type Layer = ReturnType<typeof readLayer>

/** The user's own file; without one, an empty layer. */
function readFile(path: string | undefined): { layer: Layer } | { problem: Problem } {
  if (path === undefined) return { layer: {} }
  try {
    return { layer: readLayer(pathToFileURL(resolve(path))) }
  } catch (error) {
    return { problem: { path: '--config', value: path, message: (error as Error).message } }
  }
}

function flagLayer({ port, proxyPort, parallel, logLevel }: Options) {
  return {
    ...(logLevel !== undefined && { log: { level: logLevel } }),
    ...(port !== undefined && { auth: { port } }),
    ...(proxyPort !== undefined && { proxy: { port: proxyPort } }),
    ...(parallel !== undefined && { spool: { parallel } }),
  }
}
