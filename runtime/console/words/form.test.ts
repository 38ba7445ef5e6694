import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { z } from 'zod'
import { LoopFile, NewLoop } from '../../spool/api.ts'
import {
  type Field,
  type Schema,
  toDurationInput,
  toFields,
  toSent,
  valueAt,
  withValue,
} from './form.ts'
import { toTyped } from './loop-form.ts'

const schema = z.toJSONSchema(LoopFile, { io: 'input' }) as Schema
const fields = toFields(schema)
const find = (path: string): Field => fields.find((field) => field.path === path)!

describe('the form of a new loop', () => {
  test('every key of the loop file is a field, of the kind its values need', () => {
    assert.deepEqual(fields.map(({ path }) => path).sort(), Object.keys(schema.properties!).sort())
    const kinds = ['name', 'agent', 'gates', 'caps', 'prompt', 'isolation'].map(
      (path) => find(path).kind,
    )
    assert.deepEqual(kinds, ['text', 'either', 'many', 'group', 'long', 'choice'])
  })

  test('a gate is a group at its place in the list', () => {
    const gates = find('gates')
    assert.equal(gates.kind, 'many')
    if (gates.kind !== 'many') return
    assert.deepEqual(
      gates.item(2).map(({ path }) => path),
      ['gates.2.name', 'gates.2.command', 'gates.2.timeout'],
    )
  })

  test('what was typed becomes a loop that the API takes, without the fields left empty', () => {
    let typed: Record<string, unknown> = { gates: [{}] }
    for (const [path, value] of [
      ['name', 'fix-it'],
      ['repository', '/srv/it'],
      ['agent', 'pi'],
      ['model', 'm'],
      ['prompt', 'Do it.'],
      ['gates.0.name', 'tests'],
      ['gates.0.command', 'npm test'],
      ['gates.0.timeout', ''],
      ['caps.usd', 5],
      ['plan', ''],
    ] as const) {
      typed = withValue(typed, path, value)
    }
    const sent = toSent(typed)
    assert.equal(valueAt(sent, 'plan'), undefined)
    assert.equal(valueAt(sent, 'gates.0.timeout'), undefined)
    assert.equal(NewLoop.parse(sent).caps.usd, 5)
  })

  test('a change leaves the value that it was made from as it was', () => {
    const before = { gates: [{ name: 'a' }, { name: 'b' }] }
    const after = withValue(before, 'gates.1.name', 'c')
    assert.deepEqual(before, { gates: [{ name: 'a' }, { name: 'b' }] })
    assert.deepEqual(after, { gates: [{ name: 'a' }, { name: 'c' }] })
  })

  test('a duration is written in its largest whole unit', () => {
    assert.deepEqual([90_000, 7_200_000, 86_400_000, 1_500].map(toDurationInput), [
      '90s',
      '2h',
      '1d',
      '1500ms',
    ])
  })
})

test('a stored loop is typed again as its maker would: a command as one line of a shell', () => {
  const spec = NewLoop.parse({
    ...{ name: 'a', repository: '/r', agent: 'pi', model: 'm', prompt: 'p' },
    gates: [{ name: 'tests', command: ['node', '--test', "it's"], timeout: '90s' }],
  })
  const typed = toTyped(spec) as { gates: { command: string; timeout: string }[] }
  assert.deepEqual(typed.gates[0], {
    name: 'tests',
    command: "node --test 'it'\\''s'",
    timeout: '90s',
  })
})
