import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { brotliCompressSync, gzipSync } from 'node:zlib'
import { type FrontDoor, startFrontDoor } from '../testing/front-door.ts'
import { readConsole } from './console-files.ts'

const script = `document.title = ${JSON.stringify('x'.repeat(5_000))}`
const html = { accept: 'text/html,application/xhtml+xml,*/*;q=0.8' }
const yearMs = 31_536_000

/** As vite and build-console.js leave it, and with what must not be served. */
function createDist(): string {
  const folder = mkdtempSync(join(tmpdir(), 'dist-'))
  mkdirSync(join(folder, 'assets'))
  const put = (name: string, content: string | Buffer) => writeFileSync(join(folder, name), content)
  put('index.html', '<!doctype html><title>Treadle</title><div id="console"></div>')
  put('assets/main-a1.js', script)
  put('assets/main-a1.js.br', brotliCompressSync(script))
  put('assets/main-a1.js.gz', gzipSync(script))
  put('assets/main-a1.css', 'p{}')
  put('assets/code-b2.woff2', Buffer.from([1, 2, 3]))
  put('assets/main-a1.js.map', '{"sources": "all of them"}')
  put('mark.svg', '<svg xmlns="http://www.w3.org/2000/svg"/>')
  put('.stamp.json', '{"hash": "h"}')
  symlinkSync('/etc/passwd', join(folder, 'assets/link-c3.js'))
  symlinkSync('/etc', join(folder, 'assets/etc'))
  return folder
}

describe('the console at the front door', () => {
  const owned = new AsyncDisposableStack()
  let door: FrontDoor
  let cookie: string

  before(async () => {
    const dist = createDist()
    owned.defer(() => rmSync(dist, { recursive: true }))
    door = owned.use(await startFrontDoor({ console: dist }))
    cookie = await door.signIn()
  })
  after(() => owned.disposeAsync())

  const page = (path: string, headers: Record<string, string> = html, who = { cookie }) =>
    door.call('GET', path, { ...who, headers })
  const asset = (path: string, headers: Record<string, string> = {}) =>
    door.call('GET', path, { headers })

  describe('its page', () => {
    test('answers every path that a browser opens, to whoever is signed in', async () => {
      for (const path of ['/', '/loops', '/loops/a-b?tab=gates', '/settings/sessions', '/vault']) {
        const response = await page(path)
        assert.equal(response.status, 200, path)
        assert.match(await response.text(), /<div id="console">/)
        assert.equal(response.headers.get('content-type'), 'text/html; charset=utf-8')
        assert.equal(response.headers.get('cache-control'), 'no-store')
      }
      assert.equal((await door.call('HEAD', '/loops', { cookie, headers: html })).status, 200)
    })

    test('is a door with how to get in for all others, and holds nothing of the console', async () => {
      for (const headers of [html, { ...html, cookie: 'treadle_session=guess' }]) {
        const response = await door.call('GET', '/loops/a?tab=gates', { headers })
        const text = await response.text()
        assert.equal(response.status, 401)
        assert.match(text, /npx --no-install treadle login-link/)
        assert.match(text, /name="next" value="\/loops\/a\?tab=gates"/)
        assert.doesNotMatch(text, /console"|<script|spool/)
      }
    })

    test('is no answer to a program, nor where programs call', async () => {
      assert.equal((await page('/loops', { accept: 'application/json' })).status, 404)
      assert.equal((await page('/loops', { accept: '*/*' })).status, 404)
      for (const path of ['/api/nothing', '/internal/keys', '/v1/models', '/v1beta/x', '/auth/x']) {
        const response = await page(path)
        assert.match(response.headers.get('content-type')!, /^application\/json/, path)
        assert.ok(response.status >= 401, path)
      }
      assert.equal((await door.call('POST', '/loops', { cookie, headers: html })).status, 404)
    })

    test('may run its own scripts alone, be framed by nobody, and make no markup of strings', async () => {
      const policy = (await page('/')).headers.get('content-security-policy')!
      const parts = new Map(
        policy.split('; ').map((part) => part.split(/ (.*)/) as [string, string]),
      )
      for (const [name, value] of Object.entries({
        'default-src': "'none'",
        'script-src': "'self'",
        'connect-src': "'self'",
        'style-src': "'self'",
        'frame-ancestors': "'none'",
        'base-uri': "'none'",
        'form-action': "'self'",
        'require-trusted-types-for': "'script'",
      })) {
        assert.equal(parts.get(name), value)
      }
      assert.doesNotMatch(policy.replace(/style-src-elem[^;]*/, ''), /unsafe|\*|https?:/)
    })
  })

  describe('its assets', () => {
    test('come packed as the browser can take them, and unpacked to the rest', async () => {
      const codings = { br: 'br', 'gzip, deflate': 'gzip', 'gzip, deflate, br, zstd': 'br' }
      for (const [accepted, coding] of Object.entries(codings)) {
        const response = await asset('/console/assets/main-a1.js', { 'accept-encoding': accepted })
        assert.equal(response.headers.get('content-encoding'), coding)
        assert.equal(response.headers.get('vary'), 'accept-encoding')
        assert.equal(await response.text(), script)
      }
      for (const accepted of ['identity', 'br;q=0, gzip;q=0']) {
        const response = await asset('/console/assets/main-a1.js', { 'accept-encoding': accepted })
        assert.equal(response.headers.get('content-encoding'), null)
        assert.equal(await response.text(), script)
      }
    })

    test('have their type, and are kept for ever where their name says what is inside', async () => {
      const forEver = `public, max-age=${yearMs}, immutable`
      for (const [path, type, cached] of [
        ['assets/main-a1.js', 'text/javascript; charset=utf-8', forEver],
        ['assets/main-a1.css', 'text/css; charset=utf-8', forEver],
        ['assets/code-b2.woff2', 'font/woff2', forEver],
        ['mark.svg', 'image/svg+xml; charset=utf-8', 'public, max-age=3600'],
      ] as const) {
        const { status, headers } = await asset(`/console/${path}`)
        assert.equal(status, 200, path)
        assert.equal(headers.get('content-type'), type)
        assert.equal(headers.get('cache-control'), cached)
        assert.equal(headers.get('x-content-type-options'), 'nosniff')
        assert.match(headers.get('content-security-policy')!, /default-src 'none'/)
      }
    })

    test('are told by HEAD as by GET', async () => {
      const response = await door.call('HEAD', '/console/assets/main-a1.js')
      assert.equal(response.status, 200)
      assert.equal(await response.text(), '')
      assert.equal((await door.call('POST', '/console/assets/main-a1.js')).status, 404)
    })
  })

  describe('nothing else', () => {
    for (const path of [
      '/console/assets/link-c3.js',
      '/console/assets/etc/passwd',
      '/console/assets/main-a1.js.map',
      '/console/assets/main-a1.js.br',
      '/console/.stamp.json',
      '/console/index.html',
      '/console/assets/',
      '/console/',
      '/console/assets/MAIN-a1.js',
      '/console/assets/main-a1.js/',
      '/console/constructor',
      '/console/__proto__',
      '/console/../package.json',
      '/console/assets/../../../../../etc/passwd',
      '/console/assets/..%2f..%2fpackage.json',
      '/console/assets/%2e%2e/%2e%2e/package.json',
      '/console/assets%2fmain-a1.js',
      '/console//assets/main-a1.js',
      '/console/assets/main-a1.js%00.css',
      '/console\\assets\\main-a1.js',
      '//console/assets/main-a1.js',
    ]) {
      test(`${path} is not served`, async () => {
        const answer = await door.raw([`GET ${path} HTTP/1.1`, `host: ${door.url.host}`])
        assert.match(answer, /^HTTP\/1\.1 40[04] /)
        assert.doesNotMatch(answer, /root:|"hash"|sources|x{100}/)
      })
    }
  })
})

describe('a console that is not there', () => {
  test('stops the start with what to do, unless the configuration does without', async () => {
    assert.throws(
      () => readConsole('/nowhere/dist'),
      /The console is not built: \/nowhere\/dist .*\n.*build-console\.js.*console: off/,
    )
    await using door = await startFrontDoor({ console: 'off' })
    const response = await door.call('GET', '/', { cookie: await door.signIn() })
    assert.equal(response.status, 200)
    assert.match(await response.text(), /runs without its console/)
    assert.equal((await door.call('GET', '/console/assets/main-a1.js')).status, 404)
  })

  test('stops the start as well where it is too large to be held in memory', () => {
    const dist = createDist()
    for (let part = 0; part < 3; part += 1)
      writeFileSync(join(dist, `assets/big-${part}.js`), Buffer.alloc(12 * 1024 * 1024))
    assert.throws(() => readConsole(dist), /larger than 1000 files or 33554432 bytes/)
    rmSync(dist, { recursive: true })
  })
})
