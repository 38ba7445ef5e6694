import assert from 'node:assert/strict'
import { PassThrough, Writable } from 'node:stream'
import { describe, test } from 'node:test'
import { createScreen } from './screen.ts'

/** A terminal behind a slow line: it has read nothing until it is told to. */
function slowTerminal() {
  const written: string[] = []
  const waiting: (() => void)[] = []
  const stdout = new Writable({
    highWaterMark: 64,
    write(chunk, _, done) {
      written.push(String(chunk))
      waiting.push(done)
    },
  })
  const read = () => waiting.shift()?.()
  return { stdout, written, read, screen: createScreen({ stdin: new PassThrough(), stdout }) }
}

describe('drawing', () => {
  test('a slow line gets the newest picture, not every one', async () => {
    const { stdout, screen, written, read } = slowTerminal()
    screen.take()
    assert.equal(screen.draw(['first', 'x'.repeat(100)]), true)
    assert.equal(screen.draw(['second', 'y']), false, 'it is told to draw later')
    const drained = new Promise((done) => stdout.once('drain', done))
    read() // What took the screen.
    await new Promise(setImmediate)
    read() // The first picture.
    await drained
    assert.equal(screen.draw(['third', 'y']), true)
    await new Promise(setImmediate)
    assert.ok(written.join('').includes('third'))
    assert.ok(!written.join('').includes('second'))
    screen.leave()
  })

  test('nothing is drawn before the screen is taken, or after it is given back', () => {
    const { screen, written } = slowTerminal()
    assert.equal(screen.draw(['a']), false)
    assert.deepEqual(written, [])
    screen.take()
    screen.leave()
    screen.leave()
    assert.equal(screen.draw(['a']), false)
  })

  test('what has not changed is not written', () => {
    let written = ''
    const write = (chunk: Buffer, _: unknown, done: () => void) => {
      written += chunk
      done()
    }
    const screen = createScreen({ stdin: new PassThrough(), stdout: new Writable({ write }) })
    screen.take()
    screen.draw(['a', 'b'])
    written = ''
    screen.draw(['a', 'b'])
    assert.equal(written, '')
    screen.draw(['a', 'c'])
    assert.match(written, /\[2;1Hc/)
    assert.ok(!written.includes('[1;1H'))
    screen.leave()
  })
})
