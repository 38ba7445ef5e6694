import { once } from 'node:events'
import type { Pass } from '../../spool/api.ts'
import { type Context, type SubCommand, toCount } from '../command.ts'
import { failure } from '../errors.ts'
import { takeTerminal } from '../hands.ts'
import { loopPath } from '../loop-id.ts'
import { type Pace, parseRecording, play, type Recording } from '../recording.ts'

type Options = { pass?: string; speed: string; idle: string }

export const loopReplay: SubCommand<Options> = {
  name: 'loop replay',
  args: '<id>',
  summary: 'Play what an agent wrote to its terminal, at its pace.',
  details:
    'The newest pass that has a recording, by default. q, Ctrl-] or Ctrl-C ends it. What was written there can drive your terminal.',
  examples: [
    ['loop replay 7f3a', 'the newest pass'],
    ['loop replay 7f3a --pass 1 --speed 4', 'an earlier one, four times as fast'],
    ['loop replay 7f3a --idle 60', 'with pauses of up to a minute'],
  ],
  options: (command) =>
    command
      .option('--pass <number>', 'which pass')
      .option('--speed <factor>', 'how many times as fast', '1')
      .option('--idle <seconds>', 'how long a pause may last', '2'),
  async run(context, [id], { pass, speed, idle }) {
    const pace = { speed: toFactor('--speed', speed), idleMsMax: toFactor('--idle', idle) * 1_000 }
    const client = await context.connect()
    const path = `${await loopPath(client, id!)}/passes`
    const number =
      pass === undefined ? newestOf(await client.json<Pass[]>(path)) : toCount('--pass', pass)
    const bytes = await client.bytes(`${path}/${number}/recording`)
    await replay(parseRecording(bytes.toString()), pace, context)
    context.out.note(`That was pass ${number}.`)
    return 0
  },
}

function newestOf(passes: readonly Pass[]): number {
  const found = passes.filter(({ hasRecording }) => hasRecording).at(-1)
  if (found) return found.pass
  throw failure('cli/no-recording', 'No pass of this loop has a recording yet.')
}

function toFactor(option: string, text: string): number {
  const factor = Number(text)
  if (Number.isFinite(factor) && factor > 0) return factor
  throw failure('cli/usage', `${option} ${text} is no number over 0.`)
}

const leaveKeys = new Set([0x03, 0x1d, 0x71]) // Ctrl-C, Ctrl-], q.

async function replay(recording: Recording, pace: Pace, context: Context): Promise<void> {
  const { stdout, interrupted, out } = context
  const quit = new AbortController()
  const onKeys = (keys: Buffer) => {
    if (keys.some((key) => leaveKeys.has(key))) quit.abort()
  }
  const { columns = recording.width, rows = recording.height } = stdout
  if (columns < recording.width || rows < recording.height) {
    out.note(
      `It was written for ${recording.width} columns and ${recording.height} rows; this terminal has ${columns} and ${rows}.`,
    )
  }
  // What is played may ask the terminal for things; its answers must not reach the shell.
  using _taken = takeTerminal(context, { onKeys, onSize: () => {} })
  const left = AbortSignal.any([quit.signal, interrupted])
  const show = async (text: string) => {
    if (!stdout.write(text)) await once(stdout, 'drain', { signal: left }).catch(() => {})
  }
  await play(recording, pace, show, left)
}
