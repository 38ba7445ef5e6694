// Reads from a request's body what must be known before a byte of it goes upstream, without parsing the rest: bodies are
// large and are forwarded as they are. Refuses what two parsers could read in two ways, for the upstream must see what was
// checked here: a key of scan/keys.ts stands once, spelled as the vendor spells it, and has the type that the vendor gives it.
import type { Operation, Wire } from './api.ts'
import { type Draft, readersOf, readItems, spellingsOf, toFolded } from './scan/keys.ts'
import { marksOf } from './scan/marks.ts'
import { type Slot, toOutputSlot, toUsageSlot } from './scan/slots.ts'
import type { ServerTool } from './scan/tools.ts'
import { type Boundary, noteElement, noteList, type Trail, takeUp } from './scan/trail.ts'
import {
  invalid,
  openBrace,
  openBracket,
  readString,
  type Span,
  skipContent,
  skipList,
  skipSpace,
  walkObject,
  walkOtherMembers,
} from './scan/walk.ts'

export type Scan = {
  /** As the path or the body names it. */
  model: string
  /** Each place of the body that names it: none where the path alone does, several in a Gemini batch. */
  modelSpans: readonly Span[]
  stream: boolean
  outputMax: { tokens: number; span: Span; key: string } | null
  /** A lower bound of the output than this is refused by the vendor: it must be above what may be thought. 0 = none is. */
  outputTokensMin: number
  /** Where a bound of the output is put or put in place; null where nothing is generated. */
  outputSlot: Slot | null
  /** Whether a chat stream is to end with its usage; null = the client does not say. */
  includeUsage: boolean | null
  /** Where that is asked for; null where there is no need to. */
  usageSlot: Slot | null
  /** How many answers to one prompt. */
  choices: number
  tools: readonly string[]
  serverTools: readonly ServerTool[]
  /**
   * Whether the prompt has no more tokens than the body has bytes, and 2,048 (a token of a byte-level tokenizer holds a byte
   * at least, and JSON writes nothing shorter than it is). False with images, files, what is fetched or stored elsewhere,
   * and the vendor's own tools, whose results are input too: the context window is the bound then.
   */
  isInputBounded: boolean
  previousResponse: string | null
  /** A conversation that the vendor keeps. */
  conversation: string | null
  promptCacheKey: string | null
  store: boolean | null
  /** The answer comes before the work is done, and without its usage. */
  background: boolean
  endUser: string | null
  serviceTier: string | null
  /** Of Messages; both change the price. */
  speed: string | null
  inferenceGeo: string | null
  bytes: number
  /** For a later body that begins with the same bytes; null = it is short. */
  trail: Trail | null
}

export type ScanOptions = {
  wire: Wire
  operation: Operation
  /** Where the path names it: the body may then leave it out, and may not name another. */
  model: string | null
}

/** A body that was scanned with the same options, and how many bytes this one begins with are its. */
export type Alike = { trail: Trail; bytes: number }

export function scan(body: Buffer, options: ScanOptions, alike: Alike | null = null): Scan {
  const { wire, operation, model: named } = options
  const fresh = createDraft(body, wire, named)
  const from = skipSpace(body, 0)
  if (body[from] !== openBrace) throw invalid('It must be a JSON object.')
  const known = alike && takeUp(alike.trail, alike.bytes, fresh)
  const draft = known?.draft ?? fresh
  const visit = (key: Span, at: number) => readMember(draft, wire, key, at)
  const to = known
    ? walkOtherMembers(draft.walk, goOn(draft, known), visit)
    : walkObject(draft.walk, from, visit)
  if (skipSpace(body, to) !== body.length) throw invalid('Something follows the JSON object.')
  if (named === null && draft.model === null) throw invalid('It has no `model`.')
  const top = { at: from + 1, isEmpty: skipSpace(body, from + 1) === to - 1 }
  return toScan(draft, { wire, operation, model: named ?? draft.model!, top })
}

function readMember(draft: Draft, wire: Wire, key: Span, at: number): number {
  const { walk, seen } = draft
  const name = readString(walk.body, key)
  const reader = readersOf[wire].get(name)
  if (!reader) {
    assertSpelling(wire, name)
    return walk.body[at] === openBracket ? readList(draft, at, null) : skipContent(walk, at)
  }
  if (seen.has(reader.name)) throw invalid(`It has more than one \`${reader.name}\`.`)
  seen.add(reader.name)
  return reader.read(draft, at, name)
}

/** @param boundary Where it goes on in a list that begins at `from`; null = at its start. */
function readList(draft: Draft, from: number, boundary: Boundary | null): number {
  const note = (at: number) => noteElement(draft, at)
  const to = boundary
    ? skipList(draft.walk, boundary.at, 1, note)
    : skipList(draft.walk, from, 0, note)
  noteList(draft, from, to, false)
  return to
}

/** To the end of the list that the scan is taken up in. */
const goOn = (draft: Draft, { from, boundary, isItems }: NonNullable<ReturnType<typeof takeUp>>) =>
  isItems ? readItems(draft, from, boundary) : readList(draft, from, boundary)

function createDraft(body: Buffer, wire: Wire, named: string | null): Draft {
  return {
    walk: { body, marks: marksOf[wire], isObscure: false, isMarked: false, onElement: null },
    named,
    seen: new Set(),
    model: null,
    modelSpans: [],
    texts: {},
    flags: {},
    choices: 1,
    usesMax: null,
    outputMax: null,
    thinkingTokens: null,
    outputNull: null,
    config: null,
    streamOptions: null,
    includeUsage: null,
    usageSpan: null,
    tools: { names: [], server: [] },
    isStored: false,
    trail: null,
    boundaries: [],
  }
}

/** Some parsers ignore case, and Proto's the underscore: `Model` beside `model` is a second model. */
function assertSpelling(wire: Wire, name: string): void {
  const spelled = spellingsOf[wire].get(toFolded(wire, name))
  if (spelled !== undefined) throw invalid(`It has \`${name.slice(0, 40)}\`: write \`${spelled}\`.`)
}

type Rest = {
  wire: Wire
  operation: Operation
  model: string
  top: { at: number; isEmpty: boolean }
}

function toScan(draft: Draft, { wire, operation, model, top }: Rest): Scan {
  const { walk, texts, flags, tools } = draft
  const server = tools.server.map(({ type, usesMax }) => ({
    type,
    usesMax: usesMax ?? draft.usesMax,
  }))
  const isBounded = !walk.isMarked && !walk.isObscure && !draft.isStored && server.length === 0
  return {
    model,
    modelSpans: draft.modelSpans,
    stream: flags['stream'] ?? false,
    outputMax: draft.outputMax,
    outputTokensMin: toOutputMin(draft),
    outputSlot: operation === 'generate' ? toOutputSlot(draft, wire, top) : null,
    includeUsage: draft.includeUsage,
    usageSlot: wire === 'chat' && flags['stream'] === true ? toUsageSlot(draft, top) : null,
    choices: draft.choices,
    tools: tools.names,
    serverTools: server,
    isInputBounded: isBounded,
    previousResponse: texts['previous_response_id'] ?? null,
    conversation: texts['conversation'] ?? null,
    promptCacheKey: texts['prompt_cache_key'] ?? null,
    store: flags['store'] ?? null,
    background: flags['background'] ?? false,
    endUser: texts['safety_identifier'] ?? texts['user'] ?? texts['user_id'] ?? null,
    serviceTier: texts['service_tier'] ?? null,
    speed: texts['speed'] ?? null,
    inferenceGeo: texts['inference_geo'] ?? null,
    bytes: walk.body.length,
    trail: draft.trail,
  }
}

/** Who asks for less than may be thought thinks between tools, where that is no rule. */
function toOutputMin({ thinkingTokens, outputMax }: Draft): number {
  if (thinkingTokens === null || (outputMax && outputMax.tokens <= thinkingTokens)) return 0
  return thinkingTokens + 1
}
