import type { Script } from '../script.ts'
import { fixAdder } from './fix-adder.ts'
import {
  emptiesPlan,
  neverStops,
  noProgress,
  quotesPromise,
  sameError,
  saysPromiseTooEarly,
  slow,
  spends,
} from './misbehave.ts'
import { parseDuration } from './parse-duration.ts'
import { wordCount } from './word-count.ts'

export const scripts: ReadonlyMap<string, Script> = new Map([
  ['fix-adder', fixAdder],
  ['parse-duration', parseDuration],
  ['word-count', wordCount],
  ['says-promise-too-early', saysPromiseTooEarly],
  ['never-stops', neverStops],
  ['no-progress', noProgress],
  ['empties-plan', emptiesPlan],
  ['spends', spends],
  ['same-error', sameError],
  ['quotes-promise', quotesPromise],
  ['slow', slow],
])

/** `rehearsal/fix-adder` plays the script fix-adder. What stands before the last slash is free. */
export const findScript = (model: string) => scripts.get(model.slice(model.lastIndexOf('/') + 1))
