// On a small console of its own, with the real vite.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { brotliDecompressSync, gunzipSync } from 'node:zlib'

const ours = fileURLToPath(new URL('../../', import.meta.url))

type Repository = Disposable & {
  console: string
  dist: string
  write(name: string, text: string): void
  build(): Promise<{ exit: number | null; said: string }>
  asset(ending: string): string
}

function createRepository(): Repository {
  const folder = mkdtempSync(join(tmpdir(), 'console-'))
  const console = join(folder, 'runtime/console')
  const dist = join(console, 'dist')
  mkdirSync(console, { recursive: true })
  mkdirSync(join(folder, 'runtime/start'))
  const program = join(folder, 'runtime/start/build-console.js')
  cpSync(join(ours, 'runtime/start/build-console.js'), program)
  symlinkSync(join(ours, 'node_modules'), join(folder, 'node_modules'))
  const write = (name: string, text: string) => writeFileSync(join(console, name), text)
  writeFileSync(join(folder, 'package-lock.json'), '{}')
  write('package.json', '{"type": "module"}')
  write('vite.config.ts', "export default { base: '/console/' as string }\n")
  write(
    'index.html',
    '<!doctype html><title>T</title><script type="module" src="/main.js"></script>',
  )
  write('main.js', `document.title = ${JSON.stringify('one '.repeat(500))}\n`)
  return {
    console,
    dist,
    write,
    async build() {
      const child = spawn(process.execPath, [program], { stdio: ['ignore', 'ignore', 'pipe'] })
      let said = ''
      child.stderr.setEncoding('utf8').on('data', (text: string) => {
        said += text
      })
      const [exit] = (await once(child, 'close')) as [number | null]
      return { exit, said }
    },
    asset: (ending) => {
      const name = readdirSync(join(dist, 'assets')).find((each) => each.endsWith(ending))
      assert.ok(name, `no asset ends in ${ending}`)
      return join(dist, 'assets', name)
    },
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  }
}

describe('building the console', () => {
  test('the first build makes page and assets, with both packed forms beside them', async () => {
    using repository = createRepository()
    const { exit, said } = await repository.build()
    assert.equal(exit, 0, said)
    assert.match(said, /^Building the console \.\.\.\nBuilt the console in [\d.]+ s \(\d+ kB/)
    const script = readFileSync(repository.asset('.js'))
    assert.match(script.toString(), /one one/)
    assert.deepEqual(brotliDecompressSync(readFileSync(repository.asset('.js.br'))), script)
    assert.deepEqual(gunzipSync(readFileSync(repository.asset('.js.gz'))), script)
    assert.match(readFileSync(join(repository.dist, 'index.html'), 'utf8'), /\/console\/assets\//)
    assert.deepEqual(drafts(repository), [])
  })

  test('a second build of the same sources does nothing, and one of others replaces it whole', async () => {
    using repository = createRepository()
    await repository.build()
    const before = repository.asset('.js')
    assert.deepEqual(await repository.build(), { exit: 0, said: '' })
    repository.write('README.md', 'Words build nothing.')
    assert.deepEqual(await repository.build(), { exit: 0, said: '' })
    repository.write('main.js', 'document.title = "two"\n')
    assert.match((await repository.build()).said, /Built/)
    assert.ok(!existsSync(before), 'the old asset is still there')
    assert.match(readFileSync(repository.asset('.js'), 'utf8'), /two/)
  })

  test('builds at the same time leave one whole result, over an old one too', async () => {
    using repository = createRepository()
    await repository.build()
    repository.write('main.js', `document.title = ${JSON.stringify('three '.repeat(400))}\n`)
    const builds = await Promise.all([repository.build(), repository.build(), repository.build()])
    for (const { exit, said } of builds) assert.equal(exit, 0, said)
    assert.match(readFileSync(repository.asset('.js'), 'utf8'), /three/)
    assert.ok(existsSync(repository.asset('.js.br')))
    assert.deepEqual(drafts(repository), [])
    assert.deepEqual(await repository.build(), { exit: 0, said: '' })
  })

  test('sources that do not build say why, and leave no console made of others', async () => {
    using repository = createRepository()
    await repository.build()
    repository.write('main.js', 'import "./absent.js"\n')
    const { exit, said } = await repository.build()
    assert.equal(exit, 1)
    assert.match(said, /absent\.js/)
    assert.match(said, /The console could not be built: vite failed \(1\)\. .*console: off/)
    assert.ok(!existsSync(repository.dist))
    assert.deepEqual(drafts(repository), [])
  })

  test('what a killed build left is swept away, and what may still be built is not', async () => {
    using repository = createRepository()
    const [old, young] = [
      join(repository.console, '.dist-old'),
      join(repository.console, '.dist-young'),
    ]
    mkdirSync(old)
    mkdirSync(young)
    utimesSync(old, 1, 1)
    await repository.build()
    assert.deepEqual(drafts(repository), ['.dist-young'])
  })

  test('a result without its stamp is built again', async () => {
    using repository = createRepository()
    await repository.build()
    rmSync(join(repository.dist, '.stamp.json'))
    writeFileSync(join(repository.dist, 'left.js'), '')
    assert.match((await repository.build()).said, /Built/)
    assert.ok(!existsSync(join(repository.dist, 'left.js')))
  })
})

const drafts = ({ console }: Repository) =>
  readdirSync(console).filter((name) => name.startsWith('.dist-'))
