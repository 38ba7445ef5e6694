// loop-file.json is the schema of loop files as the command knows it. This makes it anew and compares:
// `node --test --test-update-snapshots runtime/cli/new/judge.test.ts` writes it after the schema has changed.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { LoopFile } from '../../spool/api.ts'
import { choicesOf, findProblems, loopFileShape, shapeAt } from './judge.ts'

type Check = { _zod: { def: { error?: (issue: object) => unknown } } }

function makeSchema() {
  return z.toJSONSchema(LoopFile, {
    io: 'input',
    override({ zodSchema, jsonSchema }) {
      const checks = ((zodSchema._zod.def as { checks?: unknown }).checks ?? []) as Check[]
      // What the server says of a wrong value, so that the same is said here.
      for (const { _zod } of checks) {
        const said = _zod.def.error?.({})
        if (typeof said === 'string') jsonSchema['errorMessage'] = said
      }
    },
  })
}

describe('the schema that answers are judged by', () => {
  test('is the one that the server judges loop files by', (t) => {
    const path = fileURLToPath(new URL('./loop-file.json', import.meta.url))
    t.assert.fileSnapshot(makeSchema(), path, {
      serializers: [(schema) => JSON.stringify(schema, undefined, 1)],
    })
  })

  for (const [key, value, says] of [
    ['name', 'Fix It', /lower-case letters/],
    ['ref', '-x', /may not start with a hyphen/],
    ['agent', 'nobody', /Write one of builtin, pi/],
    ['plan', '../PLAN.md', /path inside the repository/],
    ['gates', [], /at least one gate/],
    ['isolation', 'some', /"namespaces"/],
  ] as const) {
    test(`${key} ${JSON.stringify(value)} is refused in the server's words`, () => {
      const problems = findProblems(shapeAt(loopFileShape(), [key])!, value)
      assert.equal(problems.length, 1)
      assert.match(problems[0]!.message, says)
    })
  }

  test('a wrong value deep inside is told with its path', () => {
    const shape = loopFileShape()
    const gates = [
      { name: 'a', command: 'true' },
      { name: 'B!', command: 'true', timeout: 'soon' },
    ]
    const problems = findProblems(shape.properties!['gates']!, gates)
    assert.deepEqual(problems, [
      { path: '1.name', message: 'Use lower-case letters, digits and inner hyphens.' },
      { path: '1.timeout', message: 'Write a duration such as 30s, 10m, or 2h.' },
    ])
  })

  test('the agents to choose from are the schema’s', () => {
    assert.ok(choicesOf(shapeAt(loopFileShape(), ['agent'])).includes('builtin'))
  })
})
