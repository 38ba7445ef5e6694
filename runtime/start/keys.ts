import { createPrivateKey, createPublicKey, generateKeyPairSync, randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { createSigner, type RoleName, roleNames, type Signer, type Trust } from '#kernel/tokens.ts'
import { readOrMake } from './state.ts'

export type Keys = {
  signer(role: RoleName): Signer
  /** The role's own signing key, for a further process of its. */
  pem(role: RoleName): string
  trust: Trust
  /** 32 bytes, mode 0600: what all vaulted credentials are sealed under. Losing it loses them. */
  masterKeyFile: string
  /** What the proxy shows the rehearsal model, as it would show a vendor a key. */
  rehearsalKeyFile: string
}

/** Every role's own Ed25519 key, made at the first start. `folder` has mode 0700. */
export function loadKeys(folder: string): Keys {
  const pems = new Map(roleNames.map((role) => [role, loadPem(join(folder, `${role}.pem`))]))
  const masterKeyFile = join(folder, 'master.key')
  const rehearsalKeyFile = join(folder, 'rehearsal.key')
  readOrMake(masterKeyFile, () => randomBytes(32))
  readOrMake(rehearsalKeyFile, () =>
    Buffer.from(`rehearsal-${randomBytes(24).toString('base64url')}`),
  )
  return {
    signer: (role) => createSigner(role, pems.get(role)!),
    pem: (role) => pems.get(role)!,
    trust: Object.fromEntries(roleNames.map((role) => [role, publicOf(pems.get(role)!)])) as Trust,
    masterKeyFile,
    rehearsalKeyFile,
  }
}

const loadPem = (path: string) => readOrMake(path, makePem).toString()

const makePem = () =>
  Buffer.from(generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }))

const publicOf = (pem: string) =>
  createPublicKey(createPrivateKey(pem)).export({ type: 'spki', format: 'pem' }).toString()
