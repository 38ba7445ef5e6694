// Whether a browser sits at this machine itself, as far as a request can tell.
import type { IncomingMessage } from 'node:http'

const loopback = /^(?:::ffff:)?127\.|^::1$/
const forwarding =
  /^(?:forwarded|via|x-forwarded|x-forwarded-.*|x-original-.*|x-real-ip|x-client-ip)$|^(?:cf|true-client|fastly|fly)-/

/**
 * From a loopback address, to a name of this machine, and by no proxy that says so.
 * **Limits.** A tunnel that adds no header and keeps the name (`ssh -R`) looks like this machine.
 */
export function isDirect(request: IncomingMessage): boolean {
  const isLoopback = loopback.test(request.socket.remoteAddress ?? '')
  const isForwarded = Object.keys(request.headers).some((name) => forwarding.test(name))
  return isLoopback && !isForwarded && isLocalName(request)
}

/** The origins of this machine's own that reach us. */
export function localOrigins({ socket: { localPort = 0 } }: IncomingMessage): string[] {
  // The socket has no port any more when the client has left. URL leaves out port 80, as browsers do.
  return ['127.0.0.1', 'localhost', '[::1]'].map(
    (name) => new URL(`http://${name}:${localPort}`).origin,
  )
}

const isLocalName = (request: IncomingMessage) =>
  localOrigins(request).some(
    (origin) => new URL(origin).host === request.headers.host?.toLowerCase(),
  )
