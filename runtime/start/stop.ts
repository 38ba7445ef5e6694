const lookMs = 250 // A parent's end is noticed this late; there is no signal that comes for sure.

/**
 * Resolves when this process is asked to stop: by Ctrl-C, by SIGTERM, or by its parent's end. npm hands no SIGTERM on,
 * and a killed parent says nothing; either way this process gets another parent.
 */
export function stopAsked(): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>()
  const parent = process.ppid
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => resolve(signal))
  if (parent !== 1) {
    const looking = setInterval(
      () => process.ppid !== parent && resolve('its parent ended'),
      lookMs,
    )
    looking.unref() // A start that failed must not be kept waiting by this.
    void promise.then(() => clearInterval(looking))
  }
  return promise
}
