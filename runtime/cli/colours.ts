// Colours only for a person at a terminal. https://no-color.org, https://force-color.org
import pico from 'picocolors'

export type Colours = ReturnType<typeof pico.createColors>
export const createColours = (isOn: boolean): Colours => pico.createColors(isOn)

export function hasColours(env: Readonly<NodeJS.ProcessEnv>, isTerminal: boolean): boolean {
  if (env.NO_COLOR) return false
  if (env.FORCE_COLOR) return true
  return isTerminal && env.TERM !== 'dumb'
}
