/** What the page that is open calls itself: a loop's name instead of `Loop`. */
class Crumb {
  text: string | undefined = $state(undefined)

  /** While the component lives that asks for it. */
  show(text: () => string | undefined): void {
    $effect(() => {
      const name = text()
      this.text = name
      if (name !== undefined) document.title = `${name} · Treadle`
      return () => {
        this.text = undefined
      }
    })
  }
}

export const crumb = new Crumb()
