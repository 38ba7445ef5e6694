// Where a repository's URL may lead: a member's loop must not reach what only this machine can.
import { lookup } from 'node:dns/promises'
import { BlockList, isIP, isIPv4 } from 'node:net'

const toList = (nets: readonly (readonly [string, number])[], family: 'ipv4' | 'ipv6') => {
  const list = new BlockList()
  for (const [net, bits] of nets) list.addSubnet(net, bits, family)
  return list
}

// https://www.iana.org/assignments/iana-ipv4-special-registry
const special4 = toList(
  [
    ['0.0.0.0', 8],
    ['10.0.0.0', 8],
    ['100.64.0.0', 10],
    ['127.0.0.0', 8],
    ['169.254.0.0', 16],
    ['172.16.0.0', 12],
    ['192.0.0.0', 24],
    ['192.0.2.0', 24],
    ['192.88.99.0', 24],
    ['192.168.0.0', 16],
    ['198.18.0.0', 15],
    ['198.51.100.0', 24],
    ['203.0.113.0', 24],
    ['224.0.0.0', 4],
    ['240.0.0.0', 4],
  ],
  'ipv4',
)

// Of IPv6 only global unicast is public, less what is special in it:
// https://www.iana.org/assignments/iana-ipv6-special-registry
const global6 = toList([['2000::', 3]], 'ipv6')
const special6 = toList(
  [
    ['2001::', 23],
    ['2001:db8::', 32],
    ['2002::', 16],
    ['3fff::', 20],
  ],
  'ipv6',
)

export function isPublicAddress(address: string): boolean {
  if (isIPv4(address)) return !special4.check(address)
  return global6.check(address, 'ipv6') && !special6.check(address, 'ipv6')
}

/** The addresses of a URL's host. Throws what the name server says. */
export async function resolveHost({ hostname }: URL): Promise<string[]> {
  const host = hostname.replace(/^\[|\]$/g, '')
  if (isIP(host)) return [host]
  return (await lookup(host, { all: true })).map(({ address }) => address)
}
