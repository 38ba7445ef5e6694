// Where the instance is that the command line means. Says nothing about what is wrong: then there is no place.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

export type Place = { url: URL; token: string }

/** By `--state`, or `--url` with `--key-file`, wherever they stand; else by the default folder. */
export function findPlace(words: readonly string[], stateFolder: string): Place | undefined {
  try {
    const url = findValue(words, '--url')
    if (url !== undefined) {
      return { url: new URL(url), token: readLine(findValue(words, '--key-file') ?? '') }
    }
    const folder = findValue(words, '--state') ?? stateFolder
    const instance = JSON.parse(readFileSync(join(folder, 'instance.json'), 'utf8'))
    return { url: new URL(instance.url), token: readLine(join(folder, 'owner.token')) }
  } catch {
    return undefined // Nothing runs, or it is not this user's: Tab is no place to say so.
  }
}

const readLine = (path: string) => readFileSync(path, 'utf8').trim()

function findValue(words: readonly string[], option: string): string | undefined {
  const at = words.indexOf(option)
  if (at >= 0) return words[at + 1]
  return words.find((word) => word.startsWith(`${option}=`))?.slice(option.length + 1)
}
