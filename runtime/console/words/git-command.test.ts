import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { test } from 'node:test'
import { toGitCommand, toLink, toQuoted } from './git-command.ts'

const command = (told: Parameters<typeof toGitCommand>[0]) => toGitCommand(told)?.command
const nothing = { branch: null, bundle: null, repository: '/r' }

test('a result is had by switching, by fetching from its address, or from its bundle', () => {
  assert.equal(command(nothing), undefined)
  assert.equal(command({ ...nothing, branch: 'treadle/x-1' }), 'git -C /r switch treadle/x-1')
  assert.equal(
    command({ ...nothing, branch: 'b', repository: 'https://h/r.git' }),
    'git fetch https://h/r.git b:b && git switch b',
  )
  assert.equal(
    command({ ...nothing, bundle: '/s/x.bundle' }),
    "git fetch /s/x.bundle 'refs/heads/*:refs/heads/*'",
  )
})

test('whatever a name holds, a shell reads it as one word', () => {
  for (const hostile of ['a b; rm -rf ~', "it's", '$(id)', '`id`', '-x', 'a"b', 'a\\', '*', '']) {
    const said = execFileSync('sh', ['-c', `printf %s ${toQuoted(hostile)}`], { encoding: 'utf8' })
    assert.equal(said, hostile)
  }
})

test('no line to copy is made of a name with control characters', () => {
  assert.equal(command({ ...nothing, branch: 'b', repository: '/a\u001b[201~\rid' }), undefined)
})

test('a repository is a link only where it is a plain https address', () => {
  assert.equal(toLink('https://github.com/a/b'), 'https://github.com/a/b')
  const others = [
    'http://h/a',
    'javascript:alert(1)',
    '/home/a',
    'ssh://git@h/a',
    'https://u:p@h/a',
    'x',
  ]
  for (const other of others) assert.equal(toLink(other), undefined, other)
})
