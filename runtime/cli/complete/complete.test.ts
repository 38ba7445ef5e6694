// `treadle __complete` as a shell's script calls it.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
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

  /** In a shell that says what it used of the processor: the shell's own share is next to nothing. */
  const ask = async (...given: [Record<string, string>, ...string[]] | string[]) => {
    const [first, ...rest] = given
    const [own, words] = typeof first === 'object' ? [first, rest] : [{}, given]
    const script = '"$@"; code=$?; times >&2; exit $code'
    const argv = [
      '-c',
      script,
      'ask',
      process.execPath,
      bin,
      '__complete',
      '--words',
      ...(words as string[]),
    ]
    const child = spawn('bash', argv, { env: { ...process.env, XDG_CACHE_HOME: caches, ...own } })
    const said = Promise.all([text(child.stdout), text(child.stderr)])
    const [code] = await once(child, 'exit')
    const [stdout, stderr] = await said
    const used = [
      ...stderr
        .trim()
        .split('\n')
        .at(-1)!
        .matchAll(/(\d+)m([\d.]+)s/g),
    ]
    const cpuMs = used.reduce((sum, [, m, s]) => sum + Number(m) * 60_000 + Number(s) * 1_000, 0)
    const complaints = stderr.trim().split('\n').slice(0, -2).join('\n')
    return { code, stdout, complaints, cpuMs }
  }

  test('what is known without an instance costs less than 150 ms of processor', async () => {
    await ask('loop', '')
    const tries = [await ask('loop', ''), await ask('loop', ''), await ask('provider', '')]
    const cpuMs = Math.min(...tries.map((each) => each.cpuMs))
    assert.ok(cpuMs < 150, `${cpuMs} ms`)
    assert.match(tries[0]!.stdout, /^:values\n(.*\n)*show\t/)
  })

  test('what the instance knows costs less than 150 ms of processor as well', async () => {
    const words = ['--state', instance.folder, 'loop', 'show', '']
    await ask(...words)
    const tries = [await ask(...words), await ask(...words), await ask(...words)]
    const cpuMs = Math.min(...tries.map((each) => each.cpuMs))
    assert.equal(tries[0]!.stdout, ':values\nl-1\tfix-login, running\n')
    assert.ok(cpuMs < 150, `${cpuMs} ms`)
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
