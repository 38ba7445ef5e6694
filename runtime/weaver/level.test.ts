import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { promisedProbes, toLevel } from './level.ts'

const facts = { backend: 'bubblewrap', limits: 'cgroup', hasFilter: true } as const
const names = promisedProbes('bubblewrap', true)
const measured = names.map((name) => ({ name, held: true, detail: 'as promised' }))
const codeOf = (text: string) => {
  try {
    return toLevel(text, facts)
  } catch (error) {
    return (error as { code: string }).code
  }
}

describe('a level', () => {
  test('is what was measured, where every promise holds', () => {
    assert.deepEqual(toLevel(JSON.stringify(measured), facts).probes, measured)
  })

  for (const name of names) {
    test(`is too weak without ${name}, and where it does not hold`, () => {
      const others = measured.filter((probe) => probe.name !== name)
      const broken = [...others, { name, held: false, detail: 'open' }]
      for (const probes of [others, broken]) {
        assert.equal(codeOf(JSON.stringify(probes)), 'weaver/too-weak')
      }
    })
  }

  for (const words of ['', 'no JSON', '{}', '[{"name":"seccomp"}]']) {
    test(`is none from the words ${JSON.stringify(words)}`, () => {
      assert.equal(codeOf(words), 'weaver/pod-failed')
    })
  }
})
