// Plays a recording onto a screen.
import { findPlace, type Recording, toSize } from '../../words/asciicast.ts'
import type { Screen } from './screen.ts'

export const speeds = [1, 2, 4, 8] as const

export class Player {
  ms = $state(0)
  isPlaying = $state(false)
  speed: number = $state(1)
  #recording: Recording = $state.raw({
    cols: 80,
    rows: 24,
    startedAt: null,
    lengthMs: 0,
    moments: [],
  })
  #screen: Screen | undefined
  #place = 0
  #frame = 0

  get lengthMs(): number {
    return this.#recording.lengthMs
  }

  /** Shows it as it was at the end: what an agent did last is what most look for. */
  load(recording: Recording, screen: Screen): void {
    this.pause()
    this.#recording = recording
    this.#screen = screen
    this.seek(recording.lengthMs)
  }

  toggle = (): void => {
    if (this.isPlaying) this.pause()
    else this.play()
  }

  play(): void {
    if (this.ms >= this.lengthMs) this.seek(0)
    this.isPlaying = true
    let before = performance.now()
    const step = (now: number) => {
      if (!this.isPlaying) return
      this.ms = Math.min(this.lengthMs, this.ms + (now - before) * this.speed)
      before = now
      this.#show()
      if (this.ms >= this.lengthMs) this.isPlaying = false
      else this.#frame = requestAnimationFrame(step)
    }
    this.#frame = requestAnimationFrame(step)
  }

  pause(): void {
    this.isPlaying = false
    cancelAnimationFrame(this.#frame)
  }

  seek(ms: number): void {
    const to = Math.min(this.lengthMs, Math.max(0, ms))
    if (to < this.ms || this.#place === 0) {
      this.#place = 0
      this.#screen?.reset()
      this.#screen?.resize(this.#recording)
    }
    this.ms = to
    this.#show()
  }

  #show(): void {
    const until = findPlace(this.#recording, this.ms)
    let text = ''
    const flush = () => {
      if (text !== '') void this.#screen?.write(text)
      text = ''
    }
    for (const moment of this.#recording.moments.slice(this.#place, until)) {
      if (moment.kind === 'output') text += moment.text
      else {
        flush()
        const size = toSize(moment.text)
        if (size) this.#screen?.resize(size)
      }
    }
    flush()
    this.#place = until
  }
}
