// Tries a provider over the connection and with the credential that calls use: its list of models, which costs nothing, and
// where asked a call of one token, which costs that.
import type { ProviderTest, ProviderTestQuestion } from './api.ts'
import { fault } from './errors.ts'
import { withAnthropicVersion } from './headers.ts'
import { toExpiryWarning } from './provider-settings.ts'
import { type LiveProvider, type Providers, rehearsalPrefix } from './providers.ts'
import { ask } from './upstream/ask.ts'
import { toUpstreamPath } from './upstream-path.ts'

const testMs = 15_000
const errorCharsMax = 300
const noBody = Buffer.alloc(0)

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
  const list = await askLive(live, { method: 'GET', path: `/${versionOf(live)}/models` })
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
  const { status, error } = await askLive(live, toOneToken(live, model))
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
  const most = kind === 'openai' ? { max_completion_tokens: 16 } : { max_tokens: 1 }
  return { method: 'POST', path: '/v1/chat/completions', body: { model, messages, ...most } }
}

async function askLive(live: LiveProvider, { method, path, body }: Asked): Promise<Answered> {
  const { kind, prefix, vaulted, upstream } = live
  const headers = [...vaulted, 'accept-encoding', 'identity']
  if (body) headers.push('content-type', 'application/json')
  const request = {
    method,
    path: toUpstreamPath(kind, prefix, path),
    headers: kind === 'anthropic' ? withAnthropicVersion(headers) : headers,
    body: body ? Buffer.from(JSON.stringify(body)) : noBody,
  }
  try {
    const { status, body: said } = await ask(upstream, request, testMs)
    return { status, error: status < 300 ? null : redact(live, said.toString('utf8')) }
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error)
    return { status: null, error: redact(live, text) }
  }
}

/** An upstream may repeat the credential it was given. Cut after that: half a key is one as well. */
const redact = ({ key }: LiveProvider, text: string) =>
  text.replaceAll(key.reveal(), '[redacted]').slice(0, errorCharsMax)
