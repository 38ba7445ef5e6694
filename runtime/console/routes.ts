// Every page: its path, what stands in the bar, and its code, loaded when first opened.
import type { IconName } from './parts/ui/icon.svelte'

export type Page = {
  /** `:name` takes one segment. */
  path: string
  /** Of the bar and of the window. */
  title: string
  /** The path above it, for the bar. */
  above?: string
  /** Its component, which may take `params`. */
  load: () => Promise<{ default: unknown }>
}

export const pages: readonly Page[] = [
  { path: '/loops', title: 'Loops', load: () => import('./routes/loops.svelte') },
  {
    path: '/loops/new',
    title: 'New loop',
    above: '/loops',
    load: () => import('./routes/loop-new.svelte'),
  },
  {
    path: '/loops/:id',
    title: 'Loop',
    above: '/loops',
    load: () => import('./routes/loop.svelte'),
  },
  { path: '/threads', title: 'Threads', load: () => import('./routes/threads.svelte') },
  {
    path: '/threads/:id',
    title: 'Thread',
    above: '/threads',
    load: () => import('./routes/thread.svelte'),
  },
  { path: '/sandboxes', title: 'Sandboxes', load: () => import('./routes/sandboxes.svelte') },
  {
    path: '/sandboxes/:id',
    title: 'Sandbox',
    above: '/sandboxes',
    load: () => import('./routes/sandbox.svelte'),
  },
  {
    path: '/gateway/live',
    title: 'Live calls',
    above: '/gateway',
    load: () => import('./routes/live-calls.svelte'),
  },
  {
    path: '/gateway/routes',
    title: 'Routes',
    above: '/gateway',
    load: () => import('./routes/model-routes.svelte'),
  },
  {
    path: '/gateway/budgets',
    title: 'Budgets',
    above: '/gateway',
    load: () => import('./routes/budgets.svelte'),
  },
  {
    path: '/gateway/calls/:id',
    title: 'Call',
    above: '/gateway',
    load: () => import('./routes/call.svelte'),
  },
  { path: '/usage', title: 'Usage', load: () => import('./routes/usage.svelte') },
  {
    path: '/settings/providers',
    title: 'Providers',
    above: '/settings',
    load: () => import('./routes/providers.svelte'),
  },
  {
    path: '/settings/keys',
    title: 'Keys',
    above: '/settings',
    load: () => import('./routes/keys.svelte'),
  },
  {
    path: '/settings/sessions',
    title: 'Sessions',
    above: '/settings',
    load: () => import('./routes/sessions.svelte'),
  },
  {
    path: '/settings/about',
    title: 'About',
    above: '/settings',
    load: () => import('./routes/about.svelte'),
  },
]

/** Old and short paths, and where they lead. */
export const redirects: Readonly<Record<string, string>> = {
  '/': '/loops',
  '/gateway': '/gateway/live',
  '/settings': '/settings/providers',
}

export type RailItem = { path: string; title: string; icon: IconName; key: string }
export const railItems: readonly RailItem[] = [
  { path: '/loops', title: 'Loops', icon: 'loops', key: 'l' },
  { path: '/threads', title: 'Threads', icon: 'threads', key: 't' },
  { path: '/sandboxes', title: 'Sandboxes', icon: 'sandboxes', key: 's' },
  { path: '/gateway', title: 'Gateway', icon: 'gateway', key: 'w' },
  { path: '/usage', title: 'Usage', icon: 'usage', key: 'u' },
  { path: '/settings', title: 'Settings', icon: 'settings', key: ',' },
]

/** The page of a path and what its `:names` stand for; undefined where there is none. */
export function findPage(path: string): { page: Page; params: Record<string, string> } | undefined {
  const segments = path.replace(/\/$/, '').split('/')
  for (const page of pages) {
    const params = match(page.path.split('/'), segments)
    if (params) return { page, params }
  }
  return undefined
}

function match(pattern: string[], segments: string[]): Record<string, string> | undefined {
  if (pattern.length !== segments.length) return undefined
  const params: Record<string, string> = {}
  for (const [index, part] of pattern.entries()) {
    const segment = segments[index]!
    if (part.startsWith(':')) params[part.slice(1)] = decode(segment)
    else if (part !== segment) return undefined
  }
  return params
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    return segment // A stray percent sign: it names nothing that exists.
  }
}
