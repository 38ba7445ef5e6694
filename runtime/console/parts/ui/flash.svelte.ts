import type { Attachment } from 'svelte/attachments'

/** A short fade behind what changed; nothing at the first showing, nor where motion is unwanted. */
export function flash(value: () => unknown): Attachment<HTMLElement> {
  return (element) => {
    let last: unknown
    let isFirst = true
    $effect(() => {
      const now = value()
      if (!isFirst && now !== last && !matchMedia('(prefers-reduced-motion: reduce)').matches) {
        element.animate([{ background: 'var(--accent-soft)' }, { background: 'transparent' }], 900)
      }
      isFirst = false
      last = now
    })
  }
}
