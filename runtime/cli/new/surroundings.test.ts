import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { findGates, lookAround, toName } from './surroundings.ts'

describe('what a folder says', () => {
  let folder: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'treadle-around-'))
  })
  afterEach(() => rmSync(folder, { recursive: true }))
  const put = (name: string, content = '') => writeFileSync(join(folder, name), content)
  const scripts = (of: object) => put('package.json', JSON.stringify({ scripts: of }))
  const commands = () => findGates(folder).map(({ name, command }) => `${name}: ${command}`)

  test('npm scripts that prove something become gates', () => {
    scripts({ test: 'node --test', lint: 'x', typecheck: 'tsc', start: 'x' })
    assert.deepEqual(commands(), [
      'tests: npm test',
      'lint: npm run lint',
      'types: npm run typecheck',
    ])
  })

  test('the package manager is the one whose lock file is there', () => {
    scripts({ test: 'vitest' })
    put('pnpm-lock.yaml')
    assert.deepEqual(commands(), ['tests: pnpm run test'])
  })

  test('what npm init writes as a test is none', () => {
    scripts({ test: 'echo "Error: no test specified" && exit 1' })
    assert.deepEqual(commands(), [])
  })

  for (const [file, expected] of [
    ['Cargo.toml', 'tests: cargo test'],
    ['go.mod', 'tests: go test ./...'],
    ['pyproject.toml', 'tests: python3 -m pytest'],
  ] as const) {
    test(`${file} means ${expected}`, () => {
      put(file)
      assert.deepEqual(commands(), [expected])
    })
  }

  test('two languages have two gates with two names', () => {
    put('Cargo.toml')
    put('go.mod')
    assert.deepEqual(commands(), ['tests: cargo test', 'tests-2: go test ./...'])
  })

  test('targets of a Makefile become gates, assignments do not', () => {
    put('Makefile', 'test: build\n\tx\ncheck := 1\nlint:\n\ty\n')
    assert.deepEqual(commands(), ['tests: make test', 'lint: make lint'])
  })

  test('a damaged package.json, and names from Object, are no scripts', () => {
    put('package.json', '{')
    assert.deepEqual(commands(), [])
    put('package.json', '{"scripts":7}')
    assert.deepEqual(commands(), [])
  })

  test('the repository is found from a folder within, with its branch and its committed plan', () => {
    const git = (...args: string[]) => execFileSync('git', ['-C', folder, ...args])
    git('init', '--quiet', '--initial-branch=trunk')
    put('PLAN.md', '- [ ] a\n')
    mkdirSync(join(folder, 'inside'))
    const loose = lookAround(join(folder, 'inside'))
    assert.equal(loose.plan, null)
    assert.equal(loose.hasLoosePlan, true)
    git('add', '--all')
    git('-c', 'user.name=a', '-c', 'user.email=a@b', 'commit', '--quiet', '--message=x')
    const found = lookAround(join(folder, 'inside'))
    assert.equal(found.repository, folder)
    assert.equal(found.branch, 'trunk')
    assert.equal(found.plan, 'PLAN.md')
  })

  test('a folder that is no repository has none', () => {
    assert.equal(lookAround(folder).repository, null)
  })

  for (const [text, name] of [
    ['My Project!', 'my-project'],
    ['--', 'loop'],
    ['\u001b[31m', '31m'],
    ['a'.repeat(100), 'a'.repeat(40)],
  ] as const) {
    test(`a folder named ${JSON.stringify(text.slice(0, 20))} makes the name ${name}`, () => {
      assert.equal(toName(text), name)
    })
  }
})
