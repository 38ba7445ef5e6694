// Shows that a rule finds what was planted for it, and lets its neighbour pass.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createTree, type Rule } from './tree.ts'

export type Planted = {
  files: Record<string, string>
  /** `path:line` of each offence; none where the files are fine. */
  found: string[]
  /** A word that the message must hold, so that it says what to write instead. */
  says?: RegExp
}

export function testPlanted(rule: Rule, cases: Readonly<Record<string, Planted>>): void {
  for (const [title, { files, found, says }] of Object.entries(cases)) {
    test(title, () => {
      const offences = rule(createTree(files))
      assert.deepEqual(
        offences.map(({ path, line }) => `${path}:${line}`),
        found,
      )
      for (const { what, instead } of offences) {
        assert.ok(what && instead, 'an offence says what is wrong and what to write instead')
        if (says) assert.match(`${what}: ${instead}`, says)
      }
    })
  }
}
