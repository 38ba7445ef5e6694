export type UpstreamErrorCode =
  | 'connect-failed'
  | 'connect-timeout'
  | 'first-byte-timeout'
  | 'idle-timeout'
  | 'closed'
  | 'malformed'

export class UpstreamError extends Error {
  override readonly name = 'UpstreamError'
  readonly code: UpstreamErrorCode

  constructor(code: UpstreamErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** Whether it was too late and not wrong. */
export const isTimeout = (error: Error): boolean =>
  error instanceof UpstreamError && error.code.endsWith('-timeout')
