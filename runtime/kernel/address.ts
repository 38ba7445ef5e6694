// Which addresses are everybody's, and connecting to those alone. The one that was checked is the one that is connected to:
// the check sits in the connection's own lookup, so a second answer of the name server can't slip in (DNS rebinding).
import { lookup as resolve } from 'node:dns/promises'
import { BlockList, isIP, isIPv4, type LookupFunction } from 'node:net'

// https://www.iana.org/assignments/iana-ipv4-special-registry
const special4 = toBlockList('ipv4', [
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
])

// Of IPv6 only global unicast is public; what is special inside it:
// https://www.iana.org/assignments/iana-ipv6-special-registry
const global6 = toBlockList('ipv6', [['2000::', 3]])
const special6 = toBlockList('ipv6', [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
])

function toBlockList(family: 'ipv4' | 'ipv6', nets: readonly [string, number][]): BlockList {
  const list = new BlockList()
  for (const [net, bits] of nets) list.addSubnet(net, bits, family)
  return list
}

export function isPublicAddress(address: string): boolean {
  if (isIPv4(address)) return !special4.check(address)
  const bare = address.replace(/%.*$/, '') // A zone names an interface of this machine.
  return global6.check(bare, 'ipv6') && !special6.check(bare, 'ipv6')
}

export class AddressError extends Error {
  override readonly name = 'AddressError'
}

/** Throws for a host that is written as an address and is not public; names are checked when connecting. */
export function assertHost({ hostname }: URL, allowPrivate: boolean): void {
  const host = hostname.replace(/^\[|\]$/g, '')
  if (allowPrivate || isIP(host) === 0 || isPublicAddress(host)) return
  throw new AddressError(`${host} is private, loopback, link-local or reserved`)
}

type Resolve = (host: string) => Promise<{ address: string; family: number }[]>
const resolveAll: Resolve = (host) => resolve(host, { all: true })

/** A lookup for net.connect that hands over checked addresses alone. One bad address refuses the name. */
export function createLookup(
  allowPrivate: boolean,
  resolveHost: Resolve = resolveAll,
): LookupFunction {
  return (host, options, done) => {
    resolveHost(host).then(
      (found) => {
        const bad = allowPrivate
          ? undefined
          : found.find(({ address }) => !isPublicAddress(address))
        const first = found[0]
        if (bad)
          done(new AddressError(`${host} resolves to ${bad.address}, which is not public`), '')
        else if (!first) done(new AddressError(`${host} resolves to nothing`), '')
        else if (options.all) done(null, found)
        else done(null, first.address, first.family)
      },
      (error: NodeJS.ErrnoException) => done(error, ''),
    )
  }
}
