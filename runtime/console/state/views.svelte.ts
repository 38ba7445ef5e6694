// Views of the loops list that this browser keeps: a name and the address's query.
type View = { name: string; search: string }
const stored = 'treadle-views'
const viewsMax = 12

class Views {
  items: View[] = $state.raw(read())

  keep(name: string, search: string): void {
    const others = this.items.filter((view) => view.name !== name)
    this.#set([...others, { name: name.slice(0, 40), search }].slice(-viewsMax))
  }

  forget(name: string): void {
    this.#set(this.items.filter((view) => view.name !== name))
  }

  #set(items: View[]): void {
    this.items = items
    localStorage.setItem(stored, JSON.stringify(items))
  }
}

function read(): View[] {
  try {
    const items: unknown = JSON.parse(localStorage.getItem(stored) ?? '[]')
    return Array.isArray(items) ? items.filter(isView) : []
  } catch {
    return [] // Another version wrote it.
  }
}
const isView = (value: unknown): value is View =>
  typeof value === 'object' && value !== null && 'name' in value && 'search' in value

export const views = new Views()
