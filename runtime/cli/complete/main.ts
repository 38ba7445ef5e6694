// `treadle __complete`: what the shells' scripts ask on Tab. Loads nothing but this folder, and never says an error.
//   treadle __complete --words WORD…           words after `treadle`, the last one being typed
//   treadle __complete --line LINE BREAKS      the line up to the cursor, and where that shell breaks words
import { readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { defaultStateFolder } from '../state-folder.ts'
import { toAnswer } from './answer.ts'
import { findPlace } from './place.ts'
import { planCompletion } from './plan.ts'
import type { Tree } from './tree.ts'
import { toSettled, toWords } from './words.ts'

const [mode, ...given] = process.argv.slice(3)
const isLine = mode === '--line'
const words = isLine ? toWords(given[0] ?? '').slice(1) : given
const settled = isLine ? toSettled(words.at(-1) ?? '', given[1] ?? '') : ''

const tree = JSON.parse(readFileSync(new URL('./commands.json', import.meta.url), 'utf8')) as Tree
const completion = planCompletion(tree, words)
process.stdout.write(toAnswer(completion, await askLive(), settled))

async function askLive() {
  if (!completion.live) return []
  const stateFolder = defaultStateFolder({
    isRoot: process.getuid?.() === 0,
    xdgStateHome: process.env.XDG_STATE_HOME,
    home: homedir(),
  })
  const place = findPlace(words, stateFolder)
  if (!place) return []
  const { findLive } = await import('./live.ts') // Only now: HTTP takes as long to load as all else.
  return await findLive(completion.live, place)
}
