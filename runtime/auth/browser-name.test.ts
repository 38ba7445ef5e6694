import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { toBrowserName } from './browser-name.ts'

const webKit = 'AppleWebKit/537.36 (KHTML, like Gecko)'

describe('the name of a browser', () => {
  for (const [header, name] of [
    [
      'Mozilla/5.0 (X11; Linux x86_64; rv:131.0) Gecko/20100101 Firefox/131.0',
      'Firefox 131, Linux',
    ],
    [
      `Mozilla/5.0 (Windows NT 10.0; Win64) ${webKit} Chrome/130.0.0.0 Safari/537.36`,
      'Chrome 130, Windows',
    ],
    [
      `Mozilla/5.0 (Windows NT 10.0) ${webKit} Chrome/130.0 Safari/537.36 Edg/130.0`,
      'Edge 130, Windows',
    ],
    [
      'Mozilla/5.0 (Macintosh; Intel Mac OS X 14_5) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Safari/605.1.15',
      'Safari 17, macOS',
    ],
    [
      'Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1',
      'Safari 17, iOS',
    ],
    [
      `Mozilla/5.0 (Linux; Android 14) ${webKit} Chrome/130.0 Mobile Safari/537.36`,
      'Chrome 130, Android',
    ],
    ['curl/8.9.1', 'curl 8'],
    ['some program', null],
    [undefined, null],
  ] as const) {
    test(`is ${name} for ${header?.slice(0, 60)} of ${header?.length} characters`, () => {
      assert.equal(toBrowserName(header), name)
    })
  }

  test('is short and holds nothing of the header but digits, whatever that is', () => {
    const parts = fc.constantFrom(
      'Firefox/',
      'Version/',
      ' Safari/',
      'Linux',
      '131',
      '<b>',
      '\n',
      "'--",
    )
    const headers = fc.oneof(
      fc.string(),
      fc.array(parts, { maxLength: 2_000 }).map((all) => all.join('')),
    )
    fc.assert(
      fc.property(headers, (header) => {
        assert.match(toBrowserName(header) ?? '', /^([A-Za-z]{2,8}( \d{1,4})?(, [A-Za-z]{3,8})?)?$/)
      }),
    )
  })
})
