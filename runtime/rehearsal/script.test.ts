import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { planStep, planUsage, type Script } from './script.ts'
import { findScript, scripts } from './scripts/scripts.ts'

const script: Script = {
  look: { run: 'look' },
  choices: [
    { when: /^open: a$/m, steps: [{ run: 'do a' }, { say: 'a is done' }] },
    { when: /^open: b$/m, steps: [{ run: 'do b' }] },
  ],
}

describe('the next step of a script', () => {
  const cases: [string, readonly string[], object][] = [
    ['looks around before anything else', [], { run: 'look' }],
    ['follows the first choice that fits', ['open: a\nopen: b'], { run: 'do a' }],
    ['follows another choice where only that fits', ['open: b'], { run: 'do b' }],
    ['goes on by one with each result', ['open: a', 'made'], { say: 'a is done' }],
    ['stays at the last step', ['open: a', '1', '2', '3'], { say: 'a is done' }],
  ]
  for (const [title, results, expected] of cases) {
    test(`the script ${title}`, () => assert.deepEqual(planStep(script, results), expected))
  }

  test('where no choice fits it stops, without a tool and without a promise', () => {
    const step = planStep(script, ['something else'])
    assert.deepEqual(Object.keys(step), ['say'])
    assert.doesNotMatch(step.say!, /promise/)
  })

  test('later results change nothing about the choice', () => {
    assert.deepEqual(planStep(script, ['open: b', 'open: a']), { run: 'do b' })
  })

  test('an endless script begins its steps again', () => {
    const endless: Script = { ...script, endless: true }
    const runs = [1, 2, 3].map((count) => planStep(endless, Array(count).fill('open: a')))
    assert.deepEqual(runs, [{ run: 'do a' }, { say: 'a is done' }, { run: 'do a' }])
  })

  test('usage grows with the results, unless the step has its own', () => {
    assert.deepEqual(planUsage({}, 3), { inputTokens: 1300, cachedTokens: 900, outputTokens: 40 })
    const usage = { inputTokens: 7, cachedTokens: 0, outputTokens: 1 }
    assert.deepEqual(planUsage({ usage }, 3), usage)
  })
})

describe('the scripts by name', () => {
  test('a model names its script after the last slash', () => {
    assert.equal(findScript('rehearsal/slow'), scripts.get('slow'))
    assert.equal(findScript('slow'), scripts.get('slow'))
    assert.equal(findScript('rehearsal/none'), undefined)
  })

  const lastWords = (name: string) => planStep(scripts.get(name)!, Array(50).fill('cwd=/work')).say!
  for (const name of ['says-promise-too-early', 'empties-plan']) {
    test(`${name} ends with the promise`, () => {
      assert.match(lastWords(name), /<promise>COMPLETE<\/promise>$/)
    })
  }
  for (const name of ['no-progress', 'same-error', 'slow']) {
    test(`${name} makes no promise`, () => assert.doesNotMatch(lastWords(name), /promise>/))
  }
  test('quotes-promise holds the promise, and does not end with it', () => {
    assert.match(lastWords('quotes-promise'), /"[^"]*<promise>COMPLETE<\/promise>[^"]*"[^<]+$/)
  })
  for (const name of ['never-stops', 'spends']) {
    test(`${name} asks for a tool, however often it got one`, () => {
      for (const count of [1, 2, 50, 1_001]) {
        assert.ok(planStep(scripts.get(name)!, Array(count).fill('cwd=/work')).run)
      }
    })
  }
  test('spends costs more in one call than a whole pass of another script', () => {
    const usage = planUsage(planStep(scripts.get('spends')!, ['cwd=/work']), 1)
    assert.ok(usage.inputTokens + usage.outputTokens > 100_000)
  })
})
