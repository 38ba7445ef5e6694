// The named peer: another gateway that runs on Node. Installed on demand, outside of this repository.
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'

const version = '1.15.2'
const installMsMax = 180_000
const manifest = {
  private: true,
  dependencies: { '@portkey-ai/gateway': version },
  // With newer ones every stream of this version ends in a 500.
  overrides: { '@hono/node-server': '1.13.5', hono: '4.9.7' },
}

/** Path of its server, or why there is none. */
export function installPortkey(): { server: string } | { missing: string } {
  const folder = join(homedir(), '.cache/treadle-bench', `portkey-${version}`)
  const server = join(folder, 'node_modules/@portkey-ai/gateway/build/start-server.js')
  if (existsSync(server)) return { server }
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'package.json'), JSON.stringify(manifest))
  try {
    const options = { cwd: folder, timeout: installMsMax, stdio: 'pipe' } as const
    execFileSync('npm', ['install', '--no-audit', '--no-fund', '--ignore-scripts'], options)
    return { server }
  } catch (error) {
    const { message } = error as Error
    return { missing: message.split('\n').slice(0, 3).join(' ') }
  }
}
