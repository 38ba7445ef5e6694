// `treadle __complete` as a shell's script calls it.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { loop, run, startInstance, type TestInstance } from '../testing.ts'

const bin = fileURLToPath(new URL('../treadle.js', import.meta.url))

describe('__complete', () => {
  let caches: string
  let instance: TestInstance
  before(async () => {
    caches = mkdtempSync(join(tmpdir(), 'treadle-caches-'))
    instance = await startInstance({ 'GET /api/loops': { items: [loop], cursor: null } })
  })
  after(async () => {
    await instance[Symbol.asyncDispose]()
    rmSync(caches, { recursive: true, force: true })
  })

  const ask = async (...given: [Record<string, string>, ...string[]] | string[]) => {
    const [first, ...rest] = given
    const [own, words] =
      typeof first === 'object' ? [first, rest as string[]] : ([{}, given as string[]] as const)
    const child = spawn(process.execPath, [bin, '__complete', '--words', ...words], {
      env: { ...process.env, XDG_CACHE_HOME: caches, ...own },
    })
    const said = Promise.all([text(child.stdout), text(child.stderr)])
    const [code] = await once(child, 'exit')
    const [stdout, complaints] = await said
    return { code, stdout, complaints }
  }

  /** Every file that it ran, as V8 tells it at its end. */
  const filesOf = async (...words: string[]): Promise<string[]> => {
    const folder = mkdtempSync(join(caches, 'ran-'))
    await ask({ NODE_V8_COVERAGE: folder }, ...words)
    const urls = readdirSync(folder).flatMap((name) => {
      const { result } = JSON.parse(readFileSync(join(folder, name), 'utf8')) as Ran
      return result.map(({ url }) => url).filter((url) => url.startsWith('file:'))
    })
    return [...new Set(urls)]
  }

  test('what is known without an instance is answered without the command and without a package', async () => {
    assert.match((await ask('loop', '')).stdout, /^:values\n(.*\n)*show\t/)
    assertLight(await filesOf('loop', ''))
  })

  test('what the instance knows is asked without the command and without a package', async () => {
    const words = ['--state', instance.folder, 'loop', 'show', '']
    assert.equal((await ask(...words)).stdout, ':values\nl-1\tfix-login, running\n')
    assertLight(await filesOf(...words))
  })

  test('an instance elsewhere is asked with its key file', async () => {
    const place = ['--url', instance.url.href, '--key-file', join(instance.folder, 'owner.token')]
    assert.match((await ask(...place, 'loop', 'show', '')).stdout, /l-1/)
  })

  for (const [title, routes] of [
    ['refuses', {}],
    [
      'answers no JSON',
      {
        'GET /api/loops': (_: unknown, response: { end(text: string): void }) => response.end('<'),
      },
    ],
    ['answers something else', { 'GET /api/loops': { items: 7 } }],
    ['answers nothing', { 'GET /api/loops': () => {} }],
  ] as const) {
    test(`an instance that ${title} leaves the prompt alone`, async () => {
      await using odd = await startInstance(routes)
      const { code, stdout, complaints } = await ask('--state', odd.folder, 'loop', 'show', '')
      assert.deepEqual(
        { code, stdout, complaints },
        { code: 0, stdout: ':values\n', complaints: '' },
      )
    })
  }

  test('a damaged instance file leaves the prompt alone', async () => {
    await using damaged = await startInstance()
    writeFileSync(join(damaged.folder, 'instance.json'), '{"url":')
    const { code, stdout, complaints } = await ask('--state', damaged.folder, 'key', 'revoke', '')
    assert.deepEqual({ code, stdout, complaints }, { code: 0, stdout: ':values\n', complaints: '' })
  })

  for (const [title, path] of [
    ['can’t be made', '/proc/none'],
    ['others may write to', tmpdir()],
  ] as const) {
    test(`a cache folder that ${title} is done without`, async () => {
      const mine = title === 'can’t be made' ? path : mkdtempSync(join(path, 'treadle-open-'))
      if (mine !== path) {
        mkdirSync(join(mine, 'treadle'))
        chmodSync(join(mine, 'treadle'), 0o777)
      }
      const { code, stdout, complaints } = await ask({ XDG_CACHE_HOME: mine }, 'loop', 'ru')
      assert.deepEqual({ code, complaints }, { code: 0, complaints: '' })
      assert.match(stdout, /run/)
      if (mine === path) return
      assert.deepEqual(readdirSync(join(mine, 'treadle')), [])
      rmSync(mine, { recursive: true })
    })
  }

  test('completion prints the script of a shell, and of no other word', async () => {
    const { stdout } = await run(instance.folder, ['completion', 'bash'])
    assert.match(stdout, /complete -F _treadle treadle/)
    const json = await run(instance.folder, ['completion', 'fish', '--json'])
    assert.match(JSON.parse(json.stdout).script, /complete -c treadle/)
    const wrong = await run(instance.folder, ['completion', 'csh'])
    assert.equal(wrong.code, 2)
    assert.match(wrong.stderr, /Allowed choices are bash, zsh, fish/)
  })
})

type Ran = { result: { url: string }[] }

/** It answers at each press of a key: a package costs more to load than all of it together. */
function assertLight(files: readonly string[]): void {
  assert.ok(
    files.some((url) => url.endsWith('/complete/main.ts')),
    files.join('\n'),
  )
  const heavy = files.filter((url) =>
    /node_modules|\/cli\/(main|program)\.ts|\/commands\//.test(url),
  )
  assert.deepEqual(heavy, [])
  assert.ok(files.length <= 16, files.join('\n'))
}
