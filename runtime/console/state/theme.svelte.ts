export type Theme = 'system' | 'light' | 'dark'
const stored = 'treadle-theme'
const dark = matchMedia('(prefers-color-scheme: dark)')

class ThemeChoice {
  choice: Theme = $state((localStorage.getItem(stored) as Theme | null) ?? 'system')
  #system: 'light' | 'dark' = $state(dark.matches ? 'dark' : 'light')
  shown: 'light' | 'dark' = $derived(this.choice === 'system' ? this.#system : this.choice)

  start(): void {
    dark.addEventListener('change', () => {
      this.#system = dark.matches ? 'dark' : 'light'
    })
    $effect.root(() => {
      $effect(() => {
        document.documentElement.dataset.theme = this.shown
      })
    })
  }

  set(choice: Theme): void {
    this.choice = choice
    localStorage.setItem(stored, choice)
  }
}

export const theme = new ThemeChoice()
