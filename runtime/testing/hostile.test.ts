// Whole loops whose agent means harm: each comes to its exact ending, nothing of it reaches this machine, the honest
// loop beside them is done, and nothing of them is left. That what they plant would work is shown by plain git.
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { Ending, Loop, NewLoopInput, Pass } from '../spool/api.ts'
import { startAppliance, type TestAppliance } from './appliance.ts'
import { allProcesses, processPieces } from './canary/pieces.ts'
import { createDemoLoop, git } from './demo-loop.ts'
import {
  borrowObjects,
  killAll,
  leaveProcesses,
  linkPlan,
  plantPrograms,
  plantRefs,
  plantSubmodule,
  replaceDaemon,
} from './hostile-agents.ts'
import { runFolder } from './sleeping-agent.ts'

const limits = `weaver:
  diskBytesMax: 96MiB
  diskFilesMax: 6000
  diskReserveBytes: 16MiB
  processesMax: 200
`

type Found = { loop: Loop; passes: Pass[]; treadle: TestAppliance; marker: string }
type Case = {
  agent: (marker: string) => string
  ending: Ending
  over?: Partial<NewLoopInput>
  check?: (found: Found) => void | Promise<void>
  /** What must be seen on the way, or the agent did not do what it is for. */
  during?: () => boolean
  /** Plain git on a copy of such a work tree, where the plant must work. */
  control?: (folder: string) => void
}

const promise = '<promise>COMPLETE</promise>'
const bytesShownMax = 256 * 1024
const cutBy =
  (cut: string) =>
  ({ passes }: Found) =>
    assert.equal(passes[0]!.agentCut, cut)
const onBranch = ({ loop }: Found, path: string) =>
  git(loop.spec.repository, 'show', `${loop.branch}:${path}`)
const plainGit = (folder: string, ...args: string[]) =>
  spawnSync('git', ['-C', folder, '-c', 'user.name=x', '-c', 'user.email=x', ...args])
const hasPlan = ({ loop, passes }: Found) => {
  assert.ok(
    passes.every(({ openItems }) => openItems !== 0),
    'a link is no plan',
  )
  assert.doesNotMatch(JSON.stringify([loop, passes]), /root:x:0/)
}

/** State T of proc(5), of a daemon that only an agent would stop. */
const hasStoppedDaemon = () =>
  [...processPieces(allProcesses())].some(
    ({ at, bytes }) =>
      /^\/opt\/treadle\/node[^\0]*\0[^\0]*\0--socket/.test(bytes.toString('latin1')) &&
      / T /.test(readFileSync(at.replace(/\w+$/, 'stat'), 'latin1')),
  )

// The second one is checked out from what the first one left.
const twoPasses = { caps: { iterations: 2, time: '2m' } }

const cases: Record<string, Case> = {
  "stops its sandbox's daemon and takes its place": {
    agent: replaceDaemon,
    during: hasStoppedDaemon,
    ending: 'capped: time',
    over: { caps: { time: '15s' } }, // On a busy machine a sandbox takes seconds to come up.
  },
  'prints 100 MB': {
    agent: () => 'head -c 100000000 /dev/zero | tr "\\0" x',
    ending: 'capped: iterations',
    async check({ loop, treadle }) {
      const token = readFileSync(join(treadle.state, 'owner.token'), 'utf8').trim()
      const headers = { authorization: `Bearer ${token}` }
      const answer = await fetch(`${treadle.url}/api/loops/${loop.id}/output`, { headers })
      const { byteLength } = await answer.arrayBuffer()
      assert.ok(byteLength > 0 && byteLength <= bytesShownMax, String(byteLength))
    },
  },
  'forks without end': {
    agent: () => `perl -e 'while (1) { fork }'`,
    ending: 'capped: iterations',
    check: cutBy('processes'),
  },
  'fills the disk': {
    agent: () => 'i=0; while :; do i=$((i+1)); head -c 4000000 /dev/urandom > $i.bin; done',
    ending: 'capped: iterations',
    check: cutBy('disk'),
  },
  'writes very many small files': {
    agent: () => `perl -e 'for (1..8000) { open F, ">", "f$_" } sleep 60'`, // Over diskFilesMax.
    ending: 'capped: iterations',
    check: cutBy('disk'),
  },
  'deletes .git': {
    agent: () => 'rm -rf .git; date +%N > made.txt',
    over: twoPasses,
    ending: 'capped: iterations',
    check(found) {
      assert.match(onBranch(found, 'made.txt'), /^\d+$/)
      assert.match(onBranch(found, 'adder.js'), /export function add/)
      assert.equal(found.passes[0]!.filesChanged, 1)
    },
  },
  'deletes everything': {
    agent: () => 'rm -rf /work/* /work/.[a-z]* /home/agent 2>/dev/null; true',
    ending: 'capped: iterations',
  },
  'plants hooks, a monitor and filters': {
    agent: plantPrograms,
    over: twoPasses,
    ending: 'capped: iterations',
    control(folder) {
      plainGit(folder, 'status')
      plainGit(folder, 'add', '--all')
    },
    check: (found) => assert.match(onBranch(found, '.gitattributes'), /filter=planted/),
  },
  'plants a submodule': {
    agent: plantSubmodule,
    over: twoPasses,
    ending: 'capped: iterations',
    control: (folder) => void plainGit(folder, 'submodule', 'update', '--init', '--force'),
    check: (found) => assert.equal(onBranch(found, 'nested/inner.txt'), 'inner'),
  },
  'writes odd refs': {
    agent: plantRefs,
    over: twoPasses,
    ending: 'capped: iterations',
    check({ loop }) {
      const refs = git(loop.spec.repository, 'for-each-ref', '--format=%(refname)').split('\n')
      assert.deepEqual(refs.sort(), ['refs/heads/main', `refs/heads/${loop.branch}`].sort())
    },
  },
  'puts a link to /etc/passwd in the place of the plan': {
    agent: () => linkPlan('/etc/passwd'),
    over: twoPasses,
    ending: 'capped: iterations',
    check: hasPlan,
  },
  'puts a link up and out in the place of the plan': {
    agent: () => linkPlan('../../../../../../../../../../etc/passwd'),
    ending: 'capped: iterations',
    check: hasPlan,
  },
  'leaves processes behind': { agent: leaveProcesses, ending: 'capped: iterations' },
  'kills all that it can signal': {
    agent: killAll,
    ending: 'failed',
    check: ({ loop }) =>
      assert.match(loop.reason!, /^The sandbox was lost while its agent ran: all in it was killed/),
  },
  'prints the promise that stands in its prompt': {
    agent: () => `printf '%s\\n' '${promise}'; date +%N > made.txt`,
    ending: 'capped: iterations',
    over: { prompt: `Say ${promise} when done.` },
    check: ({ passes }) => assert.ok(passes.every(({ promised }) => !promised)),
  },
  'has a model that quotes the promise from its prompt': {
    agent: () => '',
    ending: 'capped: iterations',
    over: {
      agent: 'builtin',
      model: 'rehearsal/quotes-promise',
      prompt: `Say ${promise} when done.`,
    },
    check: ({ passes }) => assert.ok(passes.every(({ promised }) => !promised)),
  },
}

describe('an agent that', { concurrency: 4 }, () => {
  const owned = new AsyncDisposableStack()
  let treadle: TestAppliance
  let work: string
  let honest: Loop
  let made = 0
  before(async () => {
    treadle = owned.use(await startWithLimits(owned))
    work = join(treadle.state, 'work')
    mkdirSync(join(work, 'markers'), { recursive: true })
    chmodSync(join(work, 'markers'), 0o777) // Whoever would run what is planted could write there.
    honest = await treadle.submit(await createDemoLoop(work, 'fix-adder', { agent: 'builtin' }))
  })
  after(async () => {
    await owned.disposeAsync()
  })

  for (const [title, one] of Object.entries(cases)) {
    test(`${title} ends ${one.ending}, and the machine is as before`, async () => {
      const marker = newMarker()
      if (one.control) {
        const proof = newMarker()
        one.control(await applyOutside(one.agent(proof)))
        assert.ok(
          existsSync(proof),
          'plain git does not run what is planted: the test proves nothing',
        )
      }
      const seen = one.during && treadle.until('its deed', async () => one.during!())
      const [loop] = await Promise.all([run(one.agent(marker), one.over), seen])
      const passes = await treadle.passes(loop.id)
      assert.equal(loop.ending, one.ending, loop.reason!)
      await one.check?.({ loop, passes, treadle, marker })
      assert.ok(!existsSync(marker), 'planted code ran on this machine')
      assertGone(passes, marker)
    })
  }

  test('borrows objects of this machine gets none of them', async () => {
    const secret = join(work, 'secret')
    execFileSync('git', ['init', '--quiet', secret])
    const sha = execFileSync('git', ['-C', secret, 'hash-object', '-w', '--stdin'], {
      input: 'a secret of this machine',
      encoding: 'utf8',
    }).trim()
    const agent = `${borrowObjects(join(secret, '.git/objects'))}
      git update-index --add --cacheinfo 100644,${sha},stolen.txt; git cat-file -p ${sha} > stolen-too.txt 2>/dev/null; true`
    const outside = await applyOutside(agent)
    assert.match(readFileSync(join(outside, 'stolen-too.txt'), 'utf8'), /a secret/, 'the control')
    const loop = await run(agent)
    const tree = git(loop.spec.repository, 'ls-tree', '-r', loop.branch!)
    assert.ok(
      !tree.includes(sha) &&
        git(loop.spec.repository, 'show', `${loop.branch}:stolen-too.txt`) === '',
    )
  })

  test('means harm does not stop the honest loop beside it', async () => {
    const { ending, reason } = await treadle.ended(honest.id)
    assert.equal(ending, 'done', reason!)
  })

  const newMarker = () => join(work, 'markers', `marker-${process.pid}-${made++}`)

  async function run(script: string, over: Partial<NewLoopInput> = {}): Promise<Loop> {
    const spec = await createDemoLoop(work, 'fix-adder', {
      agent: { command: ['/bin/sh', '-c', script], wire: 'anthropic' },
      gates: [{ name: 'any', command: ['true'] }],
      caps: { iterations: 1, time: '2m' },
      ...over,
    })
    const { id } = await treadle.submit(spec)
    return treadle.ended(id)
  }

  /** What the agent does, done on this machine in a throw-away place. */
  async function applyOutside(script: string): Promise<string> {
    const { repository } = await createDemoLoop(work, 'fix-adder')
    spawnSync('/bin/sh', ['-c', script], { cwd: repository })
    return repository
  }

  function assertGone(passes: readonly Pass[], marker: string): void {
    for (const { sandbox } of passes) {
      assert.ok(!existsSync(join(treadle.state, 'sandboxes', sandbox!)), 'its folder is left')
      assert.ok(!readdirSync(join(runFolder(treadle), 'sandboxes')).includes(sandbox!))
    }
    const left = [...processPieces(allProcesses())].filter(({ bytes }) => bytes.includes(marker))
    assert.deepEqual(
      left.map(({ at }) => at),
      [],
    )
  }
})

async function startWithLimits(owned: AsyncDisposableStack): Promise<TestAppliance> {
  const folder = mkdtempSync(join(tmpdir(), 'treadle-limits-'))
  owned.defer(() => rmSync(folder, { recursive: true }))
  writeFileSync(join(folder, 'limits.yaml'), limits)
  return startAppliance('--parallel=5', `--config=${join(folder, 'limits.yaml')}`)
}
