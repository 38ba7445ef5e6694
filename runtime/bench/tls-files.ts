// A private authority and the certificate of an upstream, made for one run.
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Writes `ca.pem`, `server.pem` and `server.key` for the name localhost. Answers the authority's certificate. */
export function makeTlsFiles(folder: string): string {
  const openssl = (...args: string[]) =>
    execFileSync('openssl', args, { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] })
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
  writeFileSync(join(folder, 'names'), 'subjectAltName=DNS:localhost\n')
  openssl(
    ...['req', '-x509', ...newKey, '-days', '2', '-subj', '/CN=bench authority'],
    ...['-keyout', 'ca.key', '-out', 'ca.pem'],
  )
  openssl('req', ...newKey, '-subj', '/CN=localhost', '-keyout', 'server.key', '-out', 'request')
  openssl(
    ...['x509', '-req', '-in', 'request', '-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial'],
    ...['-days', '2', '-extfile', 'names', '-out', 'server.pem'],
  )
  return readFileSync(join(folder, 'ca.pem'), 'utf8')
}
