import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, beforeEach, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { bash } from './bash.ts'
import { editFile } from './edit-file.ts'
import { listFiles } from './list-files.ts'
import { readFile } from './read-file.ts'
import { planTool, toRefusal, useTool } from './tool.ts'

const tools = [readFile, listFiles, editFile, bash]

describe('tools', () => {
  const folder = mkdtempSync(join(tmpdir(), 'agent-tools-'))
  const root = join(folder, 'work')
  const outside = join(folder, 'outside')
  after(() => rmSync(folder, { recursive: true }))
  beforeEach(() => {
    rmSync(root, { recursive: true, force: true })
    rmSync(outside, { recursive: true, force: true })
    mkdirSync(root)
    mkdirSync(outside)
    writeFileSync(join(outside, 'secret'), 'secret')
  })

  const use = async (name: string, input: unknown, signal = new AbortController().signal) => {
    const planned = planTool(tools, { id: '1', name, input: input as object })
    return 'tool' in planned ? useTool(planned, { root, signal }) : toRefusal(planned.problem)
  }
  const read = (path: string) => readFileSync(join(root, path), 'utf8')
  const write = (path: string, text: string | Buffer) => writeFileSync(join(root, path), text)

  describe('given a hostile path', () => {
    beforeEach(() => {
      symlinkSync(outside, join(root, 'folder-link'))
      symlinkSync(join(outside, 'secret'), join(root, 'file-link'))
      symlinkSync(join(outside, 'absent'), join(root, 'dangling-link'))
      symlinkSync('..', join(root, 'up-link'))
    })
    for (const path of [
      '../outside/secret',
      'a/../../outside/secret',
      'folder-link/secret',
      'file-link',
      'dangling-link',
      'dangling-link/below',
      'up-link/outside/secret',
      'folder-link/new/deep',
      '/etc/passwd',
      '/proc/self/environ',
      '../work-sibling',
      'nul\0',
    ]) {
      test(`read_file and edit_file refuse ${JSON.stringify(path)}`, async () => {
        for (const result of [
          await use('read_file', { path }),
          await use('edit_file', { path, old_text: '', new_text: 'mine' }),
          await use('edit_file', { path, old_text: 'secret', new_text: 'mine' }),
        ]) {
          assert.equal(result.isError, true)
          assert.match(result.text, /outside the work folder|link to nowhere|holds no NUL/)
        }
        assert.equal(readFileSync(join(outside, 'secret'), 'utf8'), 'secret')
        assert.deepEqual(execFileSync('ls', [outside], { encoding: 'utf8' }), 'secret\n')
      })
    }

    test('list_files refuses a folder outside, and follows no link', async () => {
      assert.equal((await use('list_files', { path: 'folder-link' })).isError, true)
      assert.equal((await use('list_files', { path: '..' })).isError, true)
      assert.doesNotMatch((await use('list_files', { path: '.', glob: '**' })).text, /secret/)
    })
  })

  test('a path may be absolute, and a link may stay inside', async () => {
    write('a.txt', 'here')
    symlinkSync('a.txt', join(root, 'link'))
    assert.equal((await use('read_file', { path: join(root, 'a.txt') })).text, 'here')
    assert.equal((await use('read_file', { path: 'link' })).text, 'here')
  })

  for (const [title, make, reason] of [
    ['an absent file', () => {}, /does not exist/],
    ['a folder', () => mkdirSync(join(root, 'x')), /is a folder/],
    ['a FIFO', () => execFileSync('mkfifo', [join(root, 'x')]), /no plain file/],
    ['a binary file', () => write('x', Buffer.of(1, 0, 2)), /binary/],
    ['a file that is no UTF-8', () => write('x', Buffer.of(0xff, 0xfe)), /no UTF-8/],
    ['a huge file', () => write('x', Buffer.alloc(9 * 1024 * 1024, 97)), /the limit is/],
  ] as [string, () => void, RegExp][]) {
    test(`${title} is neither read nor changed`, async () => {
      make()
      assert.match((await use('read_file', { path: 'x' })).text, reason)
      assert.match(
        (await use('edit_file', { path: 'x', old_text: 'a', new_text: 'b' })).text,
        reason,
      )
    })
  }

  test('read_file gives a part of a file and says what it left out', async () => {
    write('long', Array.from({ length: 50 }, (_, i) => `line ${i + 1}`).join('\n'))
    const { text } = await use('read_file', { path: 'long', from_line: 10, lines: 2 })
    assert.equal(text, 'line 10\nline 11\n[lines 10-11 of 50]')
    assert.match((await use('read_file', { path: 'long', from_line: 99 })).text, /has 50 lines/)
  })

  test('read_file stays short on long lines', async () => {
    write('wide', `${'x'.repeat(1_000_000)}\nend`)
    assert.ok((await use('read_file', { path: 'wide' })).text.length < 40_000)
  })

  test('list_files shows one folder, or all that matches below it', async () => {
    mkdirSync(join(root, 'src/deep'), { recursive: true })
    mkdirSync(join(root, '.git'))
    for (const path of ['a.ts', 'src/b.ts', 'src/deep/c.ts', 'src/d.js', '.git/e.ts'])
      write(path, '')
    assert.equal((await use('list_files', { path: '.' })).text, '.git/\na.ts\nsrc/')
    const { text } = await use('list_files', { path: '', glob: '**/*.ts' })
    assert.equal(text, 'a.ts\nsrc/b.ts\nsrc/deep/c.ts')
    assert.equal((await use('list_files', { path: 'nowhere', glob: '*' })).isError, true)
  })

  test('edit_file replaces what stands there once, to the byte', async () => {
    write('code', '\ufeffa\r\nb $1\n')
    const result = await use('edit_file', { path: 'code', old_text: 'b $1', new_text: "$& $' é" })
    assert.equal(result.isError, false)
    assert.equal(read('code'), "\ufeffa\r\n$& $' é\n")
  })

  test('edit_file refuses text that is absent, or stands there twice', async () => {
    write('code', 'aaa')
    assert.match(
      (await use('edit_file', { path: 'code', old_text: 'b', new_text: '' })).text,
      /does not/,
    )
    assert.match(
      (await use('edit_file', { path: 'code', old_text: 'aa', new_text: '' })).text,
      /more than once/,
    )
    assert.equal(read('code'), 'aaa')
  })

  test('edit_file makes a new file with its folders, and never overwrites one', async () => {
    assert.equal(
      (await use('edit_file', { path: 'x/y/z', old_text: '', new_text: 'new' })).isError,
      false,
    )
    assert.match(
      (await use('edit_file', { path: 'x/y/z', old_text: '', new_text: 'other' })).text,
      /exists/,
    )
    assert.equal(read('x/y/z'), 'new')
  })

  test('bash answers both outputs in order, and the exit code', async () => {
    const { text, isError } = await use('bash', { command: 'echo out; echo err >&2; pwd; exit 3' })
    assert.equal(text, `out\nerr\n${root}\n\n[exit 3]`)
    assert.equal(isError, false)
  })

  test('bash has no input to wait for', async () => {
    assert.match((await use('bash', { command: 'cat; read x; echo done' })).text, /done/)
  })

  test('bash keeps both ends of a large output, within its bound', async () => {
    const { text } = await use('bash', {
      command: 'echo first; head -c 20000000 /dev/zero | tr "\\0" x; echo; echo last',
    })
    assert.ok(text.length < 34_000)
    assert.match(text, /^first\n[\s\S]*\[\d+ bytes left out\][\s\S]*last\n\n\[exit 0\]$/)
  })

  test('bash cuts a command that takes too long, with all it started', async () => {
    const command = 'trap "" TERM; (sleep 30; touch late) & echo $! > pid; sleep 30'
    const before = performance.now()
    assert.match((await use('bash', { command, timeout_ms: 300 })).text, /cut after 300 ms/)
    assert.ok(performance.now() - before < 5_000)
    await assertGone(Number(read('pid')))
  })

  test('bash ends what a command leaves in the background', async () => {
    assert.match((await use('bash', { command: 'sleep 30 & echo $! > pid' })).text, /exit 0/)
    await assertGone(Number(read('pid')))
  })

  test('bash does not wait for a process that left its group with the pipe open', async () => {
    const before = performance.now()
    const { text } = await use('bash', { command: 'setsid sleep 3 & echo started' })
    assert.match(text, /started[\s\S]*exit 0/)
    assert.ok(performance.now() - before < 2_500)
  })

  test('bash ends at once when the agent is stopped', async () => {
    const stop = new AbortController()
    const running = use('bash', { command: 'echo $$ > pid; sleep 30' }, stop.signal)
    while (!existsSync(join(root, 'pid')) || read('pid') === '') await sleep(10)
    stop.abort(new Error('stop'))
    await assert.rejects(running, /stop/)
    await assertGone(Number(read('pid')))
  })

  for (const [title, name, input, reason] of [
    ['an unknown tool', 'format_disk', {}, /no tool format_disk/],
    ['a broken input', 'bash', undefined, /no complete JSON object/],
    ['a missing field', 'edit_file', { path: 'x', new_text: '' }, /lacks old_text/],
    ['a field of another type', 'bash', { command: ['ls'] }, /command must be of type string/],
    ['a line number of zero', 'read_file', { path: 'x', from_line: 0 }, /at least 1/],
  ] as [string, string, unknown, RegExp][]) {
    test(`${title} is told to the model`, async () => {
      const result = await use(name, input)
      assert.equal(result.isError, true)
      assert.match(result.text, reason)
    })
  }
})

async function assertGone(pid: number): Promise<void> {
  for (let tried = 0; isRunning(pid); tried += 1) {
    assert.ok(tried < 100, `process ${pid} still runs`)
    await sleep(20)
  }
}

/** A zombie that nobody has reaped yet runs no more. */
function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false // No such process.
  }
}
