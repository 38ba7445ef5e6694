// Whole loops by the hundred: how fast, at what CPU, and whether memory and disk stay flat.
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Loop } from '../spool/api.ts'
import { type Line, startAppliance, type TestAppliance } from '../testing/appliance.ts'
import { createDemoLoop } from '../testing/demo-loop.ts'
import { measureBarePass } from './bare-pass.ts'
import { type CpuMeter, startCpuMeter } from './cpu-meter.ts'
import { findFreePort } from './free-port.ts'
import { type LoopsStep, tellLoops } from './loops-report.ts'
import type { BenchOptions } from './main.ts'
import { readMemory } from './memory-probe.ts'
import { measureDisk } from './state-disk.ts'

const steps = 4
const passesPerLoop = 3 // As the task is made: an item a pass.
const settleMs = 3_000 // Records and conversations are shipped twice a second.
const loopMsMax = 1_200_000
const lookMs = 20

export async function benchLoops({ loops: wanted, say }: BenchOptions): Promise<void> {
  const bare = await measureBarePass()
  const port = await findFreePort()
  process.env.NODE_OPTIONS = `--inspect-port=${port}` // Sandboxes inherit nothing of it.
  await using owned = new AsyncDisposableStack()
  const treadle = await startAppliance()
  delete process.env.NODE_OPTIONS
  const meter = owned.use(startCpuMeter(treadle.pid))
  owned.use(treadle) // Ends first: then its account is empty, and can go.
  const measured: LoopsStep[] = []
  const perStep = Math.ceil(wanted / steps)
  await runLoops(treadle, meter, 1) // Compiled, connected, and the warm sandboxes are there.
  const look = async (loops: number, run: LoopsStep['run']) => {
    await sleep(settleMs)
    const memory = await readMemory(treadle.pid, port)
    measured.push({ loops, run, memory, disk: measureDisk(treadle.state) })
  }
  await look(1, null)
  for (let step = 1; step <= steps; step += 1) {
    const run = await runLoops(treadle, meter, perStep)
    await look(step * perStep + 1, run)
    const { passes, seconds, cpuMs } = run
    const heap = measured.at(-1)!.memory.heapMb.toFixed(1)
    const speed = `${(passes / seconds).toFixed(2)} passes/s, ${cpuMs.toFixed(0)} ms CPU a pass`
    say(`${step * perStep} of ${steps * perStep} loops: ${speed}, heap ${heap} MB`)
  }
  tellLoops({ measured, bare, counted: meter.name, say })
}

async function runLoops(treadle: TestAppliance, meter: CpuMeter, count: number) {
  const work = join(treadle.state, 'work')
  mkdirSync(work, { recursive: true })
  const specs = []
  for (let made = 0; made < count; made += 1)
    specs.push(await createDemoLoop(work, 'word-count', { agent: 'builtin' }))
  const before = { cpuMs: meter.readMs(), at: performance.now() }
  const loops = await Promise.all(specs.map((spec) => treadle.submit(spec)))
  for (const { id } of loops) await untilEnded(treadle, id)
  const passes = count * passesPerLoop
  const run = {
    passes,
    seconds: (performance.now() - before.at) / 1_000,
    cpuMs: (meter.readMs() - before.cpuMs) / passes,
  }
  for (const { id } of loops) assertDone(await treadle.loop(id))
  return run
}

/** By the lines that it prints: to ask it again and again would be measured too. */
async function untilEnded({ lines }: TestAppliance, id: string): Promise<void> {
  const isEnd = ({ event, loop }: Line) => event === 'ended' && loop === id
  for (const end = Date.now() + loopMsMax; Date.now() < end; await sleep(lookMs))
    if (lines.some(isEnd)) return
  throw new Error(`${id} does not end.`)
}

function assertDone({ name, ending, passes, reason }: Loop): void {
  if (ending === 'done' && passes === passesPerLoop) return
  throw new Error(`${name} ended ${ending} after ${passes} passes: ${reason}`)
}
