// What the proxy does when it hands turns in, for tests; of whatever shape.
import { turnLinesType } from './turn-lines.ts'

export function postTurns(url: URL, token: string, turns: readonly unknown[]): Promise<Response> {
  const lines = turns.map((turn) => {
    const { request = '', ...head } = { ...(turn as { request?: string }) }
    const said = turn === null || Array.isArray(turn) || typeof turn !== 'object' ? turn : head
    return `${JSON.stringify(said)}\t${request.replaceAll('\n', ' ')}\n`
  })
  return fetch(new URL('/internal/turns', url), {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': turnLinesType },
    body: lines.join(''),
  })
}
