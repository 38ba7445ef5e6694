// What shows that a prompt is not bounded by its bytes: an image, a file, a sound, a document, or what the vendor keeps or fetches.
// A mark is a whole string of JSON. It may stand for something else in a tool's input: then too much is reserved, never too little.
import type { Wire } from '../api.ts'

/** `type`: as the value of a key `type` · `key`: as a key · `any`: wherever it stands. */
type Place = 'type' | 'key' | 'any'

export type Marks = {
  /** Whether the string at `from`, quotes included, is one. */
  has(body: Buffer, from: number, to: number): boolean
}

// Of OpenAI-compatible servers too: vLLM takes a part by its key alone, without `type`.
const openAiParts: Readonly<Record<string, Place>> = {
  audio: 'key', // Of an assistant's message: an earlier answer's sound, by its id.
  audio_embeds: 'any',
  audio_url: 'any',
  file: 'type',
  file_data: 'any',
  file_id: 'any',
  file_url: 'any',
  image: 'type',
  image_embeds: 'any',
  image_file: 'any',
  image_pil: 'any',
  image_url: 'any',
  input_audio: 'any',
  input_file: 'any',
  input_image: 'any',
  input_video: 'any',
  prompt_embeds: 'any',
  video: 'type',
  video_url: 'any',
}

const places: Readonly<Record<Wire, Readonly<Record<string, Place>>>> = {
  messages: {
    audio: 'type',
    container_upload: 'any',
    document: 'type',
    file: 'type',
    file_id: 'any',
    image: 'type',
    url: 'type',
    video: 'type',
  },
  chat: openAiParts,
  responses: { ...openAiParts, computer_screenshot: 'any', item_reference: 'any' },
  gemini: {
    fileData: 'any',
    file_data: 'any',
    fileUri: 'any',
    file_uri: 'any',
    inlineData: 'any',
    inline_data: 'any',
  },
}

const markCharsMax = 31 // Below what walk.ts can see behind escapes.

/** Asked for each string of a body: a look into a table by length and first letter says no to nearly all. */
function createMarks(wanted: Readonly<Record<string, Place>>): Marks {
  const maybe = new Uint8Array((markCharsMax + 1) << 8)
  // Servers in Go take a key in any case.
  const byName = new Map(Object.entries(wanted).map(([name, place]) => [name.toLowerCase(), place]))
  for (const name of byName.keys()) {
    const first = name.charCodeAt(0)
    maybe[(name.length << 8) | first] = 1
    maybe[(name.length << 8) | (first - 0x20)] = 1
  }
  return {
    has(body, from, to) {
      const length = to - from - 2
      if (length > markCharsMax || maybe[(length << 8) | body[from + 1]!] === 0) return false
      const place = byName.get(body.toString('latin1', from + 1, to - 1).toLowerCase())
      return place !== undefined && stands(body, from, to, place)
    },
  }
}

function stands(body: Buffer, from: number, to: number, place: Place): boolean {
  if (place === 'any') return true
  if (place === 'key') return nextOf(body, to) === 0x3a
  let at = previous(body, from - 1)
  if (body[at] !== 0x3a) return false
  at = previous(body, at - 1)
  return body.toString('latin1', Math.max(0, at - 5), at + 1).toLowerCase() === '"type"'
}

const isSpace = (byte: number | undefined) =>
  byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09

function previous(body: Buffer, from: number): number {
  let at = from
  while (isSpace(body[at])) at -= 1
  return at
}

function nextOf(body: Buffer, from: number): number | undefined {
  let at = from
  while (isSpace(body[at])) at += 1
  return body[at]
}

export const marksOf: Readonly<Record<Wire, Marks>> = {
  messages: createMarks(places.messages),
  chat: createMarks(places.chat),
  responses: createMarks(places.responses),
  gemini: createMarks(places.gemini),
}
