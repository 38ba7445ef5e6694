/** Loads what a command needs and makes its pipe, while an answer is on its way to whoever wants to run it. */
export async function prepareCommand(given?: string): Promise<void> {
  const [{ makePipeAhead }] = await Promise.all([
    import('./pipe.ts'),
    import('./exec.ts'),
    import('./requests.ts'),
  ])
  makePipeAhead(given)
}
