// What the running instance knows: ids with what they are. An instance that is slow, away or says no has nothing to offer.
import { get as getPlain, type IncomingMessage } from 'node:http'
import type { Key } from '../../auth/api.ts'
import type { Budget, Provider } from '../../proxy/api.ts'
import type { Route } from '../../proxy/routing/api.ts'
import type { LoopSummary } from '../../spool/api.ts'
import type { Thread } from '../../threads/api.ts'
import type { Sandbox } from '../../weaver/api.ts'
import type { Place } from './place.ts'
import type { Candidate } from './plan.ts'
import type { LiveKind } from './tree.ts'

const waitMsMax = 1_000 // Longer, and the person has typed on.
const answerBytesMax = 8 * 1024 * 1024
const itemsMax = 100 // More than a person reads after Tab.

/** The second is what a person may have typed instead of the value, such as a loop's name for its id. */
export type Named = Candidate & { name?: string }

type Source<T> = { path: string; of(item: T): Named[] }
const source = <T>(path: string, of: (item: T) => Named[]) => ({ path, of }) as Source<unknown>

const loops = (isWanted: (loop: LoopSummary) => boolean) =>
  source<LoopSummary>('/api/loops', (loop) => {
    if (!isWanted(loop)) return []
    const { id: value, name, state, ending } = loop
    return [{ value, name, about: `${name}, ${ending ?? state}` }]
  })

const sources: Readonly<Record<LiveKind, Source<unknown>>> = {
  loops: loops(() => true),
  'loops that run': loops(({ state }) => state !== 'ended'),
  'loops that ended': loops(({ state }) => state === 'ended'),
  sandboxes: source<Sandbox>('/api/sandboxes', ({ id, purpose, loop, pass, state }) => [
    { value: id, about: `${purpose} of pass ${pass} of ${loop}, ${state}` },
  ]),
  threads: source<Thread>('/api/threads', ({ id, title }) => [{ value: id, about: title }]),
  providers: source<Provider>('/api/providers', ({ name, kind }) => [{ value: name, about: kind }]),
  models: source<Provider>('/api/providers', ({ name, models }) =>
    models.map((value) => ({ value, about: name })),
  ),
  budgets: source<Budget>('/api/budgets', ({ name, level, subject }) => [
    { value: name, about: subject === null ? level : `${level} ${subject}` },
  ]),
  routes: source<Route>('/api/routes', ({ name, match }) => [
    { value: name, about: match.models.join(', ') },
  ]),
  keys: source<Key>('/api/keys', ({ id, name, revokedAt }) =>
    revokedAt === null ? [{ value: id, name, about: name }] : [],
  ),
}

export async function findLive(kind: LiveKind, place: Place): Promise<Named[]> {
  const { path, of } = sources[kind]
  try {
    const answer: unknown = JSON.parse(
      await read(new URL(`${path}?limit=${itemsMax}`, place.url), place.token),
    )
    const items = Array.isArray(answer) ? answer : (answer as { items: unknown[] }).items
    return items.flatMap(of)
  } catch {
    return [] // Errors have no place in a prompt.
  }
}

async function read(url: URL, token: string): Promise<string> {
  const get = url.protocol === 'https:' ? (await import('node:https')).get : getPlain
  const signal = AbortSignal.timeout(waitMsMax)
  const response = await new Promise<IncomingMessage>((answered, failed) => {
    get(url, { headers: { authorization: `Bearer ${token}` }, signal, agent: false }, answered).on(
      'error',
      failed,
    )
  })
  if (response.statusCode !== 200) throw new Error(`answered ${response.statusCode}`)
  let text = ''
  for await (const part of response.setEncoding('utf8')) {
    text += part
    if (text.length > answerBytesMax) throw new Error('too long')
  }
  return text
}
