/** The time, once a second, for whatever shows how long something takes. */
class Clock {
  now = $state(Date.now())
  start(): void {
    setInterval(() => {
      if (document.visibilityState === 'visible') this.now = Date.now()
    }, 1_000)
  }
}

export const clock = new Clock()
