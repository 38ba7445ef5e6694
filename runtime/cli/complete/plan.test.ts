import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { toAnswer } from './answer.ts'
import { planCompletion } from './plan.ts'
import type { OptionShape, Tree } from './tree.ts'
import { toSettled, toWords } from './words.ts'

const globals: OptionShape[] = [
  { names: ['--json'], about: 'print JSON' },
  { names: ['--state'], about: 'state folder', value: 'folders' },
]
const command = { isVariadic: false, isPassingOn: false, options: globals, args: [] }
const tree: Tree = {
  options: globals,
  groups: { loop: 'Loops.', sandbox: 'Sandboxes.' },
  commands: [
    { ...command, name: 'loop run', about: 'Run.', args: ['files'] },
    {
      ...command,
      ...{ name: 'loop list', about: 'List.' },
      options: [
        ...globals,
        { names: ['-s', '--ending'], about: 'only these', value: ['done', 'stuck'] },
      ],
    },
    { ...command, name: 'loop watch', about: 'Watch.', args: ['loops'], isVariadic: true },
    {
      ...command,
      ...{ name: 'sandbox exec', about: 'Run in it.', args: ['sandboxes', null] },
      ...{ isVariadic: true, isPassingOn: true },
    },
    { ...command, name: 'status', about: 'Status.' },
    { ...command, name: 'usage', about: 'Usage.' },
    { ...command, name: 'usage compare', about: 'Compare.', args: [['this', 'that']] },
  ],
}

const valuesAfter = (line: string) => {
  const { before, candidates } = planCompletion(tree, toWords(line))
  return candidates.map(({ value }) => before + value)
}

describe('the plan of a completion', () => {
  for (const [line, expected] of [
    ['', ['loop', 'sandbox', 'status', 'usage', 'help']],
    ['s', ['sandbox', 'status']],
    ['loop ', ['run', 'list', 'watch']],
    ['help loop r', ['run']],
    ['--state /x loop w', ['watch']],
    ['--json loop w', ['watch']],
    ['loop list --', ['--json', '--state', '--ending']],
    ['loop list --ending ', ['done', 'stuck']],
    ['loop list --ending=s', ['--ending=stuck']],
    ['loop list --ending done,s', ['done,stuck']],
    ['loop list -s st', ['stuck']],
    ['loop list --ending done --j', ['--json']],
    ['loop fly ', []],
    ['fly ', []],
    ['status now ', []],
    ['usage ', ['compare']],
    ['usage --j', ['--json']],
    ['usage compare ', ['this', 'that']],
    ['usage other ', []],
    ['loop list -- --', []],
    ['sandbox exec sb1 git --', []],
  ] as const) {
    test(`after "treadle ${line}" may stand ${expected.join(' ') || 'nothing that is known'}`, () => {
      assert.deepEqual(valuesAfter(line), [...expected])
    })
  }

  for (const [line, live, paths] of [
    ['loop watch a b ', 'loops', null],
    ['sandbox exec ', 'sandboxes', null],
    ['sandbox exec sb1 ', null, null],
    ['loop run ', null, 'files'],
    ['loop run --state ', null, 'folders'],
    ['loop run --state=/v', null, 'folders'],
  ] as const) {
    test(`treadle "${line}" asks for ${live ?? paths ?? 'nothing'}`, () => {
      const completion = planCompletion(tree, toWords(line))
      assert.equal(completion.live, live)
      assert.equal(completion.paths, paths)
    })
  }
})

describe('a line taken apart into words', () => {
  for (const [line, words] of [
    ['a b', ['a', 'b']],
    ['a b ', ['a', 'b', '']],
    ["a 'b c", ['a', 'b c']],
    ['a "b \\" c"d', ['a', 'b " cd']],
    ['a b\\ c', ['a', 'b c']],
    ["''", ['']],
    ['', ['']],
  ] as const) {
    test(`the line "${line}" is taken apart as ${JSON.stringify(words)}`, () => {
      assert.deepEqual(toWords(line), [...words])
    })
  }

  test('what a shell takes as typed is all up to its last break', () => {
    assert.equal(toSettled('--kind=an', '"\'><=;|&(:'), '--kind=')
    assert.equal(toSettled('ab:cd', ' \t\n=:'), 'ab:')
    assert.equal(toSettled('plain', ' =:'), '')
  })
})

describe('the answer to a shell', () => {
  const completion = { before: '', typed: '', candidates: [], live: 'loops', paths: null } as const

  test('a value that a shell would act on, or that looks like an option, is left out', () => {
    const values = ['$(id)', '`id`', 'a b', 'a;b', '-rf', 'a\nb', '~root', '*', '', 'fine-1']
    const live = values.map((value) => ({ value, about: '' }))
    assert.equal(toAnswer(completion, live, ''), ':values\nfine-1\n')
  })

  test('a description can drive no terminal, and stays on its line', () => {
    const live = [{ value: 'a', about: '\u001b]0;x\u0007\nb\tc' }]
    assert.equal(toAnswer(completion, live, ''), ':values\na\t\\x1b]0;x\\x07\\nb c\n')
  })

  test('a name stands for its id where no id begins so', () => {
    const live = [
      { value: '7f', name: 'fix', about: 'fix' },
      { value: '9b', name: 'add', about: 'add' },
    ]
    assert.equal(toAnswer({ ...completion, typed: 'fi' }, live, ''), ':other\n7f\tfix\n')
    assert.equal(toAnswer({ ...completion, typed: '7' }, live, ''), ':values\n7f\tfix\n')
    assert.equal(toAnswer({ ...completion, typed: 'x' }, live, ''), ':values\n')
  })
})
