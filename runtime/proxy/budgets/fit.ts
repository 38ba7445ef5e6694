// Whether a call fits into all of its budgets, and how many output tokens would. Integers throughout, and pure.
import { type Account, type Amounts, toWhole } from './account.ts'

/** The most that a call can cost; null = it has no price. */
export type Bound = { nanoUsd: number | null; tokens: number }
/** Must not fall when the tokens rise. */
export type BoundOf = (outputTokens: number) => Bound
export type Wanted = {
  outputTokens: number
  inputTokens: number
  /** With fewer the vendor refuses the call; left out = with any it takes it. */
  outputTokensMin?: number
}

/** What one sandbox has spent, and what its calls in flight hold. */
export type Purse = { nanoUsd: number; tokens: number; heldNanoUsd: number; heldTokens: number }
/** The caps that a sandbox's token names: a budget of this process alone. */
export type SandboxCaps = {
  purse: Purse
  nanoUsdMax?: number | undefined
  tokensMax?: number | undefined
}

export type Short = Account | 'sandbox usd' | 'sandbox tokens'

/** Too few tokens to say anything of use; an answer that is cut there is still one. */
export const sandboxClipTokensMin = 1_024

export const toAmounts = ({ nanoUsd, tokens }: Bound): Amounts => ({
  nanoUsd: toWhole(nanoUsd ?? 0),
  tokens: toWhole(tokens),
})

/** A budget in dollars says nothing of what has no price. */
export const isUnpriced = (
  accounts: readonly Account[],
  caps: SandboxCaps | undefined,
  { nanoUsd }: Bound,
): boolean =>
  nanoUsd === null &&
  (caps?.nanoUsdMax !== undefined ||
    accounts.some(({ isBlocking, unitCode }) => isBlocking && unitCode === 0))

/** Asked at every call, so it makes nothing. */
export function fits(
  accounts: readonly Account[],
  caps: SandboxCaps | undefined,
  amounts: Amounts,
): boolean {
  for (let i = 0; i < accounts.length; i += 1) {
    const account = accounts[i]!
    if (account.isBlocking && account.needOf(amounts) > account.free) return false
  }
  return caps === undefined || !(lacksUsd(caps, amounts) || lacksTokens(caps, amounts))
}

const lacksUsd = ({ purse, nanoUsdMax }: SandboxCaps, { nanoUsd }: Amounts) =>
  nanoUsdMax !== undefined && purse.nanoUsd + purse.heldNanoUsd + nanoUsd > nanoUsdMax

const lacksTokens = ({ purse, tokensMax }: SandboxCaps, { tokens }: Amounts) =>
  tokensMax !== undefined && purse.tokens + purse.heldTokens + tokens > tokensMax

/** All that have no room for it. */
export function findShort(
  accounts: readonly Account[],
  caps: SandboxCaps | undefined,
  amounts: Amounts,
): Short[] {
  const short: Short[] = accounts.filter(
    (account) => account.isBlocking && account.needOf(amounts) > account.free,
  )
  if (caps && lacksUsd(caps, amounts)) short.push('sandbox usd')
  if (caps && lacksTokens(caps, amounts)) short.push('sandbox tokens')
  return short
}

/** The fewest output tokens that those without room would take, and the vendor; null = one of them takes no clip. */
export function clipTokensMinOf(
  short: readonly Short[],
  { outputTokensMin = 0 }: Wanted,
): number | null {
  let most = outputTokensMin
  for (const one of short) {
    if (typeof one === 'string') most = Math.max(most, sandboxClipTokensMin)
    else if (one.budget.clip === 'off') return null
    else most = Math.max(most, one.budget.clipTokensMin)
  }
  return most
}

/** The most output tokens that fit into all; null = not even the fewest that are worth a call. */
export function planClip(
  accounts: readonly Account[],
  caps: SandboxCaps | undefined,
  { boundOf, wanted, short }: { boundOf: BoundOf; wanted: Wanted; short: readonly Short[] },
): number | null {
  const fewest = clipTokensMinOf(short, wanted)
  if (fewest === null || fewest >= wanted.outputTokens) return null
  const isRoomFor = (outputTokens: number) => fits(accounts, caps, toAmounts(boundOf(outputTokens)))
  if (!isRoomFor(fewest)) return null
  let [low, high] = [fewest, wanted.outputTokens] // The lower fits, the higher does not.
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2)
    if (isRoomFor(middle)) low = middle
    else high = middle
  }
  return low
}
