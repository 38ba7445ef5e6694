import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'

/** Waits until it holds, for `msMax`. */
export async function until(look: () => unknown, msMax = 10_000): Promise<void> {
  const startedAt = performance.now()
  while (!(await look())) {
    assert.ok(performance.now() - startedAt < msMax, `it never held: ${look}`)
    await sleep(10)
  }
}
