// Envelope encryption: each credential under a data key of its own, each data key under the master key.
// AES-256-GCM (NIST SP 800-38D); the credential's name is bound in as associated data, so rows can't be swapped.
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { Secret } from './secret.ts'

export type Sealed = { wrappedKey: Buffer; ciphertext: Buffer }
export type Vault = {
  seal(name: string, secret: Secret): Sealed
  /** Throws one and the same error for a wrong key, a changed row or a row of another name. */
  open(name: string, sealed: Sealed): Secret
  /** The data key under the master key of now, where it is under the one before; null = nothing to do. */
  rewrap(name: string, sealed: Sealed): Sealed | null
}

const ivBytes = 12
const tagBytes = 16

/**
 * @param masterKey 32 bytes, from a file of mode 0600.
 * @param previous The one before: what is still under it opens too. All that is sealed is under the first.
 */
export function createVault(masterKey: Buffer, previous?: Buffer): Vault {
  for (const { length } of previous ? [masterKey, previous] : [masterKey]) {
    if (length !== 32) throw new Error('The master key must have 32 bytes.')
  }
  const unwrap = (name: string, wrappedKey: Buffer): { dataKey: Buffer; isOld: boolean } => {
    try {
      return { dataKey: decrypt(masterKey, name, wrappedKey), isOld: false }
    } catch (error) {
      if (!previous) throw error
      return { dataKey: decrypt(previous, name, wrappedKey), isOld: true }
    }
  }
  return {
    seal(name, secret) {
      const dataKey = randomBytes(32)
      const ciphertext = encrypt(dataKey, name, Buffer.from(secret.reveal()))
      return { wrappedKey: encrypt(masterKey, name, dataKey), ciphertext }
    },
    open(name, { wrappedKey, ciphertext }) {
      try {
        const { dataKey } = unwrap(name, wrappedKey)
        return new Secret(decrypt(dataKey, name, ciphertext).toString())
      } catch {
        throw new Error(`The credential ${name} can't be opened with this master key.`)
      }
    },
    rewrap(name, { wrappedKey, ciphertext }) {
      try {
        const { dataKey, isOld } = unwrap(name, wrappedKey)
        return isOld ? { wrappedKey: encrypt(masterKey, name, dataKey), ciphertext } : null
      } catch {
        throw new Error(`The credential ${name} can't be opened with this master key.`)
      }
    },
  }
}

function encrypt(key: Buffer, name: string, plain: Buffer): Buffer {
  const iv = randomBytes(ivBytes)
  const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(Buffer.from(name))
  return Buffer.concat([iv, cipher.update(plain), cipher.final(), cipher.getAuthTag()])
}

function decrypt(key: Buffer, name: string, sealed: Buffer): Buffer {
  const tag = sealed.subarray(sealed.length - tagBytes)
  const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, ivBytes))
  decipher.setAAD(Buffer.from(name)).setAuthTag(tag)
  return Buffer.concat([decipher.update(sealed.subarray(ivBytes, -tagBytes)), decipher.final()])
}
