// A program: the upstream of every gateway measured here. Raw TCP, fixed answers in a vendor's shape; what it costs is
// the rig's and no gateway's. A request whose body says `"stream":true` gets events, any other one an answer of 1 KB.
// `[paced TAG EVENTS]` in the prompt gets events at a model's pace; `GET /stats` tells what came and which of those closed.
// Run: node mock-upstream.ts [FOLDER_OF_TLS_FILES]
import { readFileSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { createServer as createTlsServer } from 'node:tls'
import { announceServer } from './announce.ts'
import { Framing, findHeadEnd, headEndBytes } from './http1.ts'
import {
  streamClosing,
  streamOpening,
  streamWrites,
  toPacedEvent,
  unaryReply,
} from './mock-answers.ts'
import type { UpstreamStats } from './upstream-stats.ts'

const lookBytes = 8_192 // All of a small body: gateways that write it anew change the order of its keys.
const eventMs = 100
const slots = 100 // Streams are spread over the pace, so that no two of a hundred write in the same millisecond.

const stats: UpstreamStats = { requests: 0, openPaced: 0, closed: {} }

type Paced = { socket: Socket; leftEvents: number }
const wheel = Array.from({ length: slots }, () => new Set<Paced>())
let nextSlot = 0
let writtenSlot = 0

function startPaced(socket: Socket, tag: string, events: number): void {
  const paced = { socket, leftEvents: events }
  const slot = wheel[nextSlot++ % slots]!
  slot.add(paced)
  stats.openPaced += 1
  socket.write(streamOpening)
  socket.once('close', () => {
    if (slot.delete(paced)) stats.openPaced -= 1
    if (paced.leftEvents > 0) stats.closed[tag] = Number(process.hrtime.bigint())
  })
}

function turnWheel(): void {
  const due = Math.floor((performance.now() * slots) / eventMs)
  for (writtenSlot = Math.max(writtenSlot, due - slots); writtenSlot < due; writtenSlot += 1) {
    const slot = wheel[writtenSlot % slots]!
    for (const paced of slot) {
      paced.socket.write(toPacedEvent(process.hrtime.bigint()))
      paced.leftEvents -= 1
      if (paced.leftEvents > 0) continue
      slot.delete(paced)
      stats.openPaced -= 1
      paced.socket.write(streamClosing)
    }
  }
}
setInterval(turnWheel, eventMs / slots).unref()

const pacedPattern = /\[paced ([\w-]+) (\d+)\]/

function answer(socket: Socket, start: string): void {
  stats.requests += 1
  if (!start.includes('"stream":true')) return void socket.write(unaryReply)
  const paced = pacedPattern.exec(start)
  if (paced) startPaced(socket, paced[1]!, Number(paced[2]))
  else for (const piece of streamWrites) socket.write(piece)
}

function answerStats(socket: Socket): void {
  const text = JSON.stringify(stats)
  socket.end(
    `HTTP/1.1 200 OK\r\ncontent-length: ${text.length}\r\nconnection: close\r\n\r\n${text}`,
  )
}

function serve(socket: Socket): void {
  let framing: Framing | undefined
  let seen: Buffer = Buffer.alloc(0)
  let bodyAt = 0
  socket.setNoDelay(true)
  socket.on('error', () => socket.destroy()) // A gateway that left: its own matter.
  socket.on('data', (data: Buffer) => {
    // The first bytes of a message are kept until they hold its head and the keys looked for.
    if (!framing || seen.length < bodyAt + lookBytes) seen = Buffer.concat([seen, data])
    if (framing) framing.take(data, 0)
    else {
      const stop = findHeadEnd(seen)
      if (stop < 0) return
      const head = seen.toString('latin1', 0, stop)
      if (head.startsWith('GET /stats ')) return answerStats(socket)
      bodyAt = stop + headEndBytes
      framing = new Framing(head)
      framing.take(seen, bodyAt)
    }
    if (!framing.isOver) return
    const start = seen.toString('latin1', bodyAt, bodyAt + lookBytes)
    framing = undefined
    seen = Buffer.alloc(0)
    answer(socket, start)
  })
}

const folder = process.argv[2]
if (folder) {
  const [key, cert] = ['server.key', 'server.pem'].map((name) => readFileSync(join(folder, name)))
  await announceServer(createTlsServer({ key: key!, cert: cert! }, serve), 'https')
} else await announceServer(createServer(serve))
