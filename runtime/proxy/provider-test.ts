// Tries a provider over the connection and with the credential that calls use: its list of models, which costs nothing, and
// where asked a call of one token, which costs that.
import type { ProviderTest, ProviderTestQuestion } from './api.ts'
import { fault } from './errors.ts'
import { withAnthropicVersion } from './headers.ts'
import { toExpiryWarning } from './provider-settings.ts'
import { type LiveProvider, type Providers, rehearsalPrefix } from './providers.ts'

const testMs = 15_000
const errorCharsMax = 300
const answerBytesMax = 64 * 1024

type Deps = { providers: Providers; now: () => Date }
type Asked = { method: 'GET' | 'POST'; path: string; body?: object }
type Answered = { status: number | null; error: string | null }

export async function tryProvider(
  org: string,
  name: string,
  { call: isCalled, model }: ProviderTestQuestion,
  { providers, now }: Deps,
): Promise<ProviderTest> {
  const live = providers
    .all()
    .find((one) => one.name === name && (one.org === null || one.org === org))
  if (!live) throw fault('provider/absent', { detail: name })
  const began = performance.now()
  const list = await ask(live, { method: 'GET', path: `/${versionOf(live)}/models` })
  const latencyMs = Math.round(performance.now() - began)
  const call = isCalled ? await callOnce(live, model) : null
  const isGood = list.status !== null && list.status < 300
  return {
    // A server of one's own may have no list: then the call alone decides.
    ok: call ? call.ok : isGood,
    status: list.status,
    latencyMs,
    error: list.status === null || list.status < 300 ? list.error : null,
    call,
    warning: toExpiryWarning(live.expiresAt, now()),
  }
}

const versionOf = ({ kind }: LiveProvider) => (kind === 'gemini' ? 'v1beta' : 'v1')

async function callOnce(live: LiveProvider, named: string | undefined) {
  const model = named ?? [...live.models].find((one) => !one.endsWith('*'))
  if (model === undefined) {
    throw fault('provider/invalid', { say: 'It lists no model: name one to call.' })
  }
  if (model.startsWith(rehearsalPrefix) !== (live.kind === 'rehearsal')) {
    throw fault('provider/invalid', { say: 'Models of the rehearsal go to the rehearsal.' })
  }
  const { status, error } = await ask(live, toOneToken(live, model))
  return { ok: status !== null && status < 300, model, status, error }
}

/** The smallest question of each wire. OpenAI's newer models refuse fewer than 16 tokens, and say one word all the same. */
function toOneToken({ kind }: LiveProvider, model: string): Asked {
  const messages = [{ role: 'user', content: 'Say ok.' }]
  if (kind === 'anthropic') {
    return { method: 'POST', path: '/v1/messages', body: { model, max_tokens: 1, messages } }
  }
  if (kind === 'gemini') {
    const path = `/v1beta/models/${encodeURIComponent(model)}:generateContent`
    const contents = [{ role: 'user', parts: [{ text: 'Say ok.' }] }]
    return { method: 'POST', path, body: { contents, generationConfig: { maxOutputTokens: 1 } } }
  }
  const body = { model, messages, max_completion_tokens: kind === 'openai' ? 16 : 1 }
  return { method: 'POST', path: '/v1/chat/completions', body }
}

async function ask(live: LiveProvider, { method, path, body }: Asked): Promise<Answered> {
  const json = body ? ['content-type', 'application/json'] : []
  const headers = [...live.vaulted, ...json]
  try {
    const answer = await live.pool.request({
      method,
      path: live.prefix + path,
      headers: live.kind === 'anthropic' ? withAnthropicVersion(headers) : headers,
      signal: AbortSignal.timeout(testMs),
      ...(body && { body: JSON.stringify(body) }),
    })
    const text = await readSome(answer.body)
    const isGood = answer.statusCode < 300
    return { status: answer.statusCode, error: isGood ? null : redact(live, text) }
  } catch (error) {
    return {
      status: null,
      error: redact(live, error instanceof Error ? error.message : String(error)),
    }
  }
}

/** Enough to see what is wrong; what is longer is not waited for. */
async function readSome(body: AsyncIterable<Buffer>): Promise<string> {
  const parts: Buffer[] = []
  let bytes = 0
  for await (const part of body) {
    parts.push(part)
    bytes += part.length
    if (bytes > answerBytesMax) break
  }
  return Buffer.concat(parts).toString('utf8')
}

/** An upstream may repeat the credential it was given. Cut after that: half a key is one as well. */
const redact = ({ key }: LiveProvider, text: string) =>
  text.replaceAll(key.reveal(), '[redacted]').slice(0, errorCharsMax)
