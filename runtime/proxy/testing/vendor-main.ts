// A vendor in a process of its own, with a bill of its own: forked with the bill's path, says where it listens.
// What it was asked for is done and charged at once, whoever waits for the answer.
import { appendFileSync } from 'node:fs'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export const inputNanoUsd = 100
export const outputNanoUsd = 1_000

if (process.send) listen(process.argv[2]!)

function listen(bill: string): void {
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const { max_tokens: most, stream } = JSON.parse(Buffer.concat(chunks).toString())
    const usage = { input_tokens: 20, output_tokens: Math.ceil(most * (0.8 + 0.2 * Math.random())) }
    const cost = usage.input_tokens * inputNanoUsd + usage.output_tokens * outputNanoUsd
    appendFileSync(bill, `${request.headers['x-race']} ${cost}\n`)
    setTimeout(() => (stream ? answerEvents : answerWhole)(response, usage), 100 * Math.random())
  })
  server.listen(0, '127.0.0.1', () => process.send!((server.address() as AddressInfo).port))
  process.once('disconnect', () => process.exit(1)) // The test is gone: so is its child.
}

type Usage = { input_tokens: number; output_tokens: number }

function answerWhole(response: ServerResponse, usage: Usage): void {
  const body = { type: 'message', content: [], stop_reason: 'end_turn', usage }
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}

function answerEvents(response: ServerResponse, usage: Usage): void {
  const event = (type: string, data: object) => `data: ${JSON.stringify({ type, ...data })}\n\n`
  const begun = { message: { usage: { ...usage, output_tokens: 1 } } }
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  response.write(event('message_start', begun))
  setTimeout(() => {
    response.write(event('message_delta', { delta: { stop_reason: 'end_turn' }, usage }))
    response.end(event('message_stop', {}))
  }, 20)
}
