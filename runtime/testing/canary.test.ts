// A provider's key is planted as a canary, loops run over it, and then it is looked for wherever bytes can lie. The same
// search must find a second canary, the decoy, that was put into each of these places in each form: so it is not blind.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type pg from 'pg'
import { roleNames } from '#kernel/tokens.ts'
import { startAppliance, type TestAppliance } from './appliance.ts'
import { formsIn, plantIn, toForms } from './canary/forms.ts'
import {
  allProcesses,
  filesBelow,
  objectsOf,
  type Piece,
  processesBeside,
  processPieces,
  repositoriesBelow,
  rowsOf,
} from './canary/pieces.ts'
import { runCommand } from './command.ts'
import { connectDatabase } from './database.ts'
import { createDemoLoop } from './demo-loop.ts'
import { type LocalModel, startLocalModel } from './local-model.ts'
import { type SleepingAgent, startSleepingAgent } from './sleeping-agent.ts'

// Every sign that a header takes and that URLs or base64 write in another way.
const createSecret = (name: string) => `${name}-${randomBytes(18).toString('hex')}/+=~${name}`
const canary = createSecret('canary')
const decoy = createSecret('decoy')
const model = 'acme/fix-adder'

/** An agent that shows its prompt in its output, its work and its calls, as far as it can. */
const leak = `
const [prompt, origin, model, after] = process.argv.slice(1)
const { writeFileSync } = require('fs')
writeFileSync('leak.txt', prompt)
process.stdout.write(prompt)
const content = prompt
fetch(origin + '/v1/messages', {
  method: 'POST',
  headers: { 'x-api-key': process.env.TREADLE_TOKEN, 'anthropic-version': '2023-06-01' },
  body: JSON.stringify({ model, max_tokens: 64, messages: [{ role: 'user', content }] }),
}).then((answer) => answer.text()).then((text) => {
  process.stdout.write(text)
  writeFileSync('/home/agent/token', process.env.TREADLE_TOKEN)
  if (after === 'stay') setInterval(() => {}, 1e6)
})`
const leaking = (after: 'stay' | 'go') => ({
  agent: {
    command: ['node', '-e', leak, '{{prompt}}', '{{origin}}', '{{model}}', after],
    wire: 'anthropic' as const,
  },
  model,
  prompt: plantIn(decoy),
})

describe("a provider's key", () => {
  const owned = new AsyncDisposableStack()
  let treadle: TestAppliance
  let server: LocalModel
  let sleeping: SleepingAgent
  let places: Record<string, () => AsyncIterable<Piece> | Iterable<Piece>>
  const found = new Map<string, Map<string, string>>()

  before(async () => {
    treadle = owned.use(await startAppliance('--parallel=4'))
    const work = join(treadle.state, 'work')
    mkdirSync(work)
    server = owned.use(await startLocalModel(join(work, 'vendor'), canary))
    await addProvider()
    const [honest, open] = await Promise.all([
      createDemoLoop(work, 'fix-adder', { model, caps: { iterations: 6 } }),
      createDemoLoop(work, 'fix-adder', { ...leaking('go'), caps: { iterations: 1 } }),
    ])
    const loops = await Promise.all([treadle.submit(honest), treadle.submit(open)])
    sleeping = await startSleepingAgent(treadle, work, leaking('stay'))
    const ended = await Promise.all(loops.map(({ id }) => treadle.ended(id)))
    assert.equal(ended[0]!.ending, 'done', ended[0]!.reason!)
    const db = owned.use(await connectDatabase(treadle))
    await plant(db)
    places = placesOf(
      db,
      ended.map(({ id }) => id),
    )
    for (const [place, pieces] of Object.entries(places)) found.set(place, await search(pieces()))
  })
  after(async () => {
    await owned.disposeAsync()
  })

  test('is the one that the server takes', () => {
    const calls = server.calls()
    assert.ok(calls.filter(({ status }) => status === 200).length >= 5)
    assert.deepEqual(
      calls.filter(({ status }) => status === 401),
      [],
    )
  })

  test('would be found in every place, in every form', () => {
    const wanted = Object.keys(toForms(decoy)).sort()
    for (const [place, seen] of found)
      assert.deepEqual(keysFor(seen, 'decoy'), wanted, `the search is blind in ${place}`)
    assert.ok(found.size >= 15)
  })

  test('is nowhere in any form', () => {
    for (const [place, seen] of found)
      assert.deepEqual(keysFor(seen, 'canary'), [], `${place}: ${JSON.stringify([...seen])}`)
  })

  test("and a sandbox's token and the owner's are in no log, table, ledger, repository or output", () => {
    const kept = [...found].filter(([place]) => !/sandbox|processes/.test(place))
    assert.ok(keysFor(found.get("the sandbox's files")!, 'token').includes('raw'), 'the control')
    for (const [place, seen] of kept)
      for (const name of ['token', 'owner'])
        assert.deepEqual(keysFor(seen, name), [], `${place}: ${JSON.stringify([...seen])}`)
  })

  /** By the real command; its own arguments and environment are looked at all the while. */
  async function addProvider(): Promise<void> {
    const flags = ['--kind', 'anthropic', '--key-file', server.keyFile, '--base-url', server.url]
    const added = runCommand(
      treadle.state,
      ...['provider', 'add', 'acme', ...flags, '--allow-private', '--models', model],
    )
    let isOver = false
    const over = added.finally(() => (isOver = true))
    while (!isOver) {
      for (const { at, bytes } of processPieces(allProcesses()))
        assert.deepEqual(formsIn(bytes, toForms(canary)), [], at)
      await Promise.race([over, new Promise((resolve) => setTimeout(resolve, 20))])
    }
    const { exitCode, said } = await added
    assert.equal(exitCode, 0, said)
    assert.deepEqual(formsIn(Buffer.from(said), toForms(canary)), [])
  }

  /** The decoy into every place where the loops above do not bring it. */
  async function plant(db: pg.Client): Promise<void> {
    const text = plantIn(decoy)
    appendFileSync(join(treadle.state, 'logs/treadle.log'), `${text}\n`)
    for (const role of roleNames) {
      mkdirSync(join(treadle.state, 'roles', role), { recursive: true })
      writeFileSync(join(treadle.state, 'roles', role, 'planted'), text)
      await db.query(`create table ${role}.planted as select $1::text as planted`, [text])
    }
    const argv = `exec sleep 300 # ${text}`
    spawnOnHost(owned, text)
    const write =
      'for at in /work /home/agent /tmp /var/tmp; do printf %s "$TEXT" > $at/planted; done'
    assert.equal((await sleeping.exec(write, { TEXT: text })).exit, 0)
    void sleeping.exec(`TEXT=1; ${argv}\nsleep 300`, { TEXT: text }).catch(() => {}) // It ends with its sandbox.
    await treadle.until('the planted process', async () => {
      const beside = processPieces(processesBeside(sandboxProcess()))
      return (await search(beside)).has('decoy hex')
    })
  }

  const sandboxProcess = () =>
    Number(
      allProcesses().find((id) => {
        const [first] = processPieces([id])
        return (
          first?.bytes.includes('setInterval') &&
          first.bytes.subarray(0, 5).equals(Buffer.from('node\0'))
        )
      }) ?? assert.fail('no agent found'),
    )

  function placesOf(db: pg.Client, loops: string[]): typeof places {
    const { state } = treadle
    const root = `/proc/${sandboxProcess()}/root`
    const isTheirs = new Set(['node_modules', 'node', 'postgres'])
    const below = (...folders: string[]) =>
      function* () {
        for (const folder of folders) yield* filesBelow(folder, isTheirs)
      }
    return {
      "the sandbox's files": below(
        ...['work', 'home', 'tmp', 'var', 'run', 'etc', 'dev/shm', 'opt'].map((name) =>
          join(root, name),
        ),
      ),
      "the sandbox's processes": () => processPieces(processesBeside(sandboxProcess())),
      'all processes': () => processPieces(allProcesses()),
      'the log': below(join(state, 'logs')),
      "the database's files": below(join(state, 'postgres')),
      repositories: function* () {
        for (const folder of [join(state, 'roles/spool'), join(state, 'work')])
          for (const path of repositoriesBelow(folder)) yield* objectsOf(path)
      },
      ...Object.fromEntries(
        roleNames.flatMap((role) => [
          [`files of ${role}`, below(join(state, 'roles', role))],
          [`tables of ${role}`, () => rowsOf(db, role)],
        ]),
      ),
      outputs: () => answers(loops.map((id) => `/api/loops/${id}/output`)),
      'loops and threads': () =>
        answers([
          ...['/api/loops', '/api/providers', '/api/usage', '/api/status', '/api/sandboxes'],
          ...loops.flatMap((id) =>
            ['', '/passes', '/events'].map((part) => `/api/loops/${id}${part}`),
          ),
        ]),
    }
  }

  async function* answers(paths: string[]): AsyncGenerator<Piece> {
    const token = readFileSync(join(treadle.state, 'owner.token'), 'utf8').trim()
    for (const path of paths) {
      const headers = { authorization: `Bearer ${token}` }
      const answer = await fetch(new URL(path, treadle.url), { headers })
      yield { at: path, bytes: Buffer.from(await answer.arrayBuffer()) }
    }
  }

  /** `secret form` to where it was found first. */
  async function search(
    pieces: AsyncIterable<Piece> | Iterable<Piece>,
  ): Promise<Map<string, string>> {
    const secrets = { canary, decoy, ...tokens() }
    const forms = Object.entries(secrets).map(([name, text]) => [name, toForms(text)] as const)
    const seen = new Map<string, string>()
    for await (const { at, bytes } of pieces)
      for (const [name, all] of forms)
        for (const form of formsIn(bytes, all))
          if (!seen.has(`${name} ${form}`)) seen.set(`${name} ${form}`, at)
    return seen
  }

  const tokens = () => ({
    token: readFileSync(join(sleeping.place.home, 'token'), 'utf8'),
    owner: readFileSync(join(treadle.state, 'owner.token'), 'utf8').trim(),
  })
})

const keysFor = (seen: ReadonlyMap<string, string>, name: string) =>
  [...seen.keys()]
    .filter((key) => key.startsWith(`${name} `))
    .map((key) => key.slice(name.length + 1))
    .sort()

function spawnOnHost(owned: AsyncDisposableStack, text: string): void {
  const args = ['-e', 'setTimeout(() => {}, 300_000)', text]
  const sleeper = spawn(process.execPath, args, { env: { PLANTED: text }, stdio: 'ignore' })
  owned.defer(() => void sleeper.kill())
}
