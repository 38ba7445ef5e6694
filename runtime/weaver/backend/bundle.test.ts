import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { linkDaemon } from './bundle.ts'

const folder = mkdtempSync(join(tmpdir(), 'link-'))
after(() => rmSync(folder, { recursive: true, force: true }))
const warnings = '--disable-warning=ExperimentalWarning'

function link(files: Readonly<Record<string, string>>): string {
  const root = mkdtempSync(join(folder, 'case-'))
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, name)), { recursive: true })
    writeFileSync(join(root, name), text)
  }
  const [entry, kernel] = [join(root, 'main.ts'), join(root, 'kernel')]
  return linkDaemon({ entry, kernel, packagesFrom: import.meta.filename })
}

function run(script: string, ...args: string[]): string {
  const path = join(mkdtempSync(join(folder, 'run-')), 'linked.cjs')
  writeFileSync(path, script)
  return execFileSync(process.execPath, [path, ...args], { encoding: 'utf8' })
}

describe('files linked into one', () => {
  test('give each other functions, classes, constants and Node its own modules', () => {
    const script = link({
      'main.ts': `import { basename as last } from 'node:path'
import type { Gone } from './absent.ts'
import { type Shape, double, Box,
  origin as start } from './parts.ts'
import { half } from '#kernel/half.ts'
const shape: Shape = { size: double(start) }
console.log(new Box(shape.size).size, half(8), last('/a/b'), ({} as Gone) !== null)
`,
      'parts.ts': `export type Shape = { size: number }
export const origin = 21
export const { length } = 'four'
export async function never() {}
export function double(value: number): number { return value * 2 }
export class Box { size: number; constructor(size: number) { this.size = size } }
`,
      'kernel/half.ts': 'export const half = (value: number) => value / 2\n',
    })
    assert.equal(run(script), '42 4 b true\n')
  })

  test('run when they are first wanted, and once', () => {
    const script = link({
      'main.ts': `console.log('main')
const [a, b] = await_(() => import('./late.ts'), () => import('./late.ts'))
function await_(...loads: (() => Promise<unknown>)[]) { return loads.map((load) => load()) }
void Promise.all([a, b]).then(([one, two]) => console.log(one === two))
`,
      'late.ts': `console.log('late')\nexport const late = 1\n`,
    })
    assert.equal(run(script), 'main\nlate\ntrue\n')
  })

  test('find packages where the files would', () => {
    const script = link({
      'main.ts': `import { WebSocket } from 'ws'\nconsole.log(WebSocket.name)\n`,
    })
    assert.equal(run(script), 'WebSocket\n')
  })

  for (const line of [
    "export * from './parts.ts'",
    "import parts from './parts.ts'",
    'export default 1',
  ]) {
    test(`refuse what they can't take as it is meant: ${line}`, () => {
      assert.throws(() => link({ 'main.ts': `${line}\n`, 'parts.ts': '' }), /can't be linked/)
    })
  }

  test('are the daemon, which starts from them as from its own', () => {
    const [linker, app] = ['./link-main.ts', '../../../'].map((path) =>
      fileURLToPath(new URL(path, import.meta.url)),
    ) as [string, string]
    const script = execFileSync(process.execPath, [warnings, linker, app, app], {
      encoding: 'utf8',
    })
    assert.equal(run(script, '--warm'), '')
  })
})
