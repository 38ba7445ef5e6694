// Where a repository's URL may lead: a member's loop must not reach what only this machine can.
import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'

export { isPublicAddress } from '#kernel/address.ts'

/** The addresses of a URL's host. Throws what the name server says. */
export async function resolveHost({ hostname }: URL): Promise<string[]> {
  const host = hostname.replace(/^\[|\]$/g, '')
  if (isIP(host)) return [host]
  return (await lookup(host, { all: true })).map(({ address }) => address)
}
