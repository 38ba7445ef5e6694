import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { parseReady, promisedProbes, toLevel } from './level.ts'

const facts = { backend: 'bubblewrap', limits: 'cgroup', hasFilter: true } as const
const toWords = (probes: unknown) => JSON.stringify({ probes, origin: null })
const names = promisedProbes('bubblewrap', true)
const measured = names.map((name) => ({ name, held: true, detail: 'as promised' }))
const codeOf = (words: string) => {
  try {
    return toLevel(parseReady(words).probes, facts)
  } catch (error) {
    return (error as { code: string }).code
  }
}

describe('a level', () => {
  test('is what was measured, where every promise holds', () => {
    assert.deepEqual(toLevel(parseReady(toWords(measured)).probes, facts).probes, measured)
  })

  for (const name of names) {
    test(`is too weak without ${name}, and where it does not hold`, () => {
      const others = measured.filter((probe) => probe.name !== name)
      const broken = [...others, { name, held: false, detail: 'open' }]
      for (const probes of [others, broken]) {
        assert.equal(codeOf(toWords(probes)), 'weaver/too-weak')
      }
    })
  }

  for (const words of ['', 'no JSON', '{}', '{"probes":[{"name":"seccomp"}],"origin":null}']) {
    test(`is none from the words ${JSON.stringify(words)}`, () => {
      assert.equal(codeOf(words), 'weaver/pod-failed')
    })
  }
})
