// The shapes in which a secret may lie about.

/** Each form's name to the texts of which any one is that form. */
export type Forms = Readonly<Record<string, readonly string[]>>

export function toForms(secret: string): Forms {
  const hex = Buffer.from(secret).toString('hex')
  const base64 = [0, 1, 2].map((offset) => toBase64(secret, offset))
  const named = base64.map((text, offset) => [`base64 at ${offset}`, [text, toUrlSafe(text)]])
  return {
    raw: [secret],
    hex: [hex, hex.toUpperCase()],
    'url-encoded': [encodeURIComponent(secret)],
    ...Object.fromEntries(named),
  }
}

/** What of the encoding depends on the secret alone, where `offset` bytes (of three) stand before it. */
function toBase64(secret: string, offset: number): string {
  const bytes = Buffer.concat([Buffer.alloc(offset), Buffer.from(secret)])
  const [first, end] = [Math.ceil((offset * 8) / 6), Math.floor((bytes.length * 8) / 6)]
  return bytes.toString('base64').slice(first, end)
}

const toUrlSafe = (text: string) => text.replaceAll('+', '-').replaceAll('/', '_')

/** One text that holds a secret in every form, as a leak would: encoded with what stands around it. */
export const plantIn = (secret: string) =>
  [
    `raw ${secret}`,
    Buffer.from(`hex:${secret}.`).toString('hex'),
    `url ${encodeURIComponent(secret)}`,
    ...['', 'a', 'ab'].map((before) => Buffer.from(`${before}${secret}after`).toString('base64')),
  ].join('\n')

/** The forms that stand in the bytes. */
export const formsIn = (bytes: Buffer, forms: Forms): string[] =>
  Object.keys(forms).filter((name) =>
    forms[name]!.some((text) => bytes.includes(text, 0, 'latin1')),
  )
