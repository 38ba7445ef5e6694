import { hash, randomBytes } from 'node:crypto'

/** 256 random bits as text: nobody guesses it, so its hash needs neither salt nor stretching. */
export const newSecretText = () => randomBytes(32).toString('base64url')

export const hashOf = (text: string) => hash('sha256', text, 'hex')
