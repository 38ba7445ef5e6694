import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isPromised } from './promise.ts'

const promise = '<promise>COMPLETE</promise>'
const prompt = `Do one item of the plan.\nWhen all is done, end your last message with ${promise}\n`

for (const [title, message, promised] of [
  ['the promise alone', promise, true],
  ['the promise at the end, with blank lines after it', `All is done.\n\n${promise}\n \n`, true],
  ['the promise at the end of a sentence', `I am sure: ${promise}`, true],
  ['the promise in the middle', `${promise} is what I would say, but one test is red.`, false],
  ['no message', null, false],
  ['another word', 'COMPLETE', false],
  ['an echo of the prompt', prompt, false],
  [
    'an echo of the prompt after other words',
    `You told me: ${prompt.replaceAll('\n', ' ')}`,
    false,
  ],
] as const) {
  test(`${title} is ${promised ? 'a' : 'no'} promise`, () => {
    assert.equal(isPromised(message, promise, prompt), promised)
  })
}
