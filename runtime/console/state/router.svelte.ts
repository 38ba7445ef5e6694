// Where the reader is: the address bar is the state. Links are ordinary links; a click on one of ours changes the page in place.
class Router {
  path = $state(location.pathname)
  query = $state(new URLSearchParams(location.search))

  start(): void {
    addEventListener('popstate', () => this.#read())
    document.addEventListener('click', (event) => this.#follow(event))
  }

  /** Goes to one of our own paths. `replace` leaves no step to come back to: for filters and tabs. */
  go(to: string, how: 'push' | 'replace' = 'push'): void {
    history[how === 'push' ? 'pushState' : 'replaceState'](null, '', to)
    this.#read()
    if (how === 'push') document.querySelector('main')?.scrollTo(0, 0)
  }

  /** Changes some values of the query, and leaves the rest; null and '' remove one. */
  ask(values: Record<string, string | null>, how: 'push' | 'replace' = 'replace'): void {
    const query = new URLSearchParams(this.query)
    for (const [name, value] of Object.entries(values)) {
      if (value === null || value === '') query.delete(name)
      else query.set(name, value)
    }
    const text = query.toString()
    this.go(text === '' ? this.path : `${this.path}?${text}`, how)
  }

  #read(): void {
    this.path = location.pathname
    this.query = new URLSearchParams(location.search)
  }

  #follow(event: MouseEvent): void {
    const link = (event.target as Element).closest?.('a')
    if (!link || event.defaultPrevented || event.button !== 0) return
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return
    if (link.origin !== location.origin || link.target || link.hasAttribute('download')) return
    if (/^\/(api|auth)\//.test(link.pathname)) return
    event.preventDefault()
    this.go(link.pathname + link.search + link.hash)
  }
}

export const router = new Router()
