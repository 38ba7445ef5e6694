// Which tools of a request are the vendor's own and charged by use, by the type or the key that it names them with.
import type { ServerTool } from '../api.ts'

/** Without their dates, signs and case: `web_search_20250305`, `web_search_preview`, `googleSearch`. */
const charged: Readonly<Record<string, ServerTool>> = {
  websearch: 'web_search',
  websearchpreview: 'web_search',
  googlesearch: 'web_search',
  googlesearchretrieval: 'web_search',
  enterprisewebsearch: 'web_search',
  webfetch: 'web_fetch',
  urlcontext: 'web_fetch',
  codeexecution: 'code_execution',
  codeinterpreter: 'code_execution',
  shell: 'code_execution',
  filesearch: 'file_search',
  retrieval: 'file_search',
  googlemaps: 'maps_search',
  imagegeneration: 'image_generation',
  advisor: 'advisor',
}

/** What the client runs itself, or what costs its tokens alone. */
const free: ReadonlySet<string> = new Set([
  ...['function', 'custom', 'namespace', 'functiondeclarations', 'bash', 'texteditor', 'computer'],
  ...[
    'computeruse',
    'computerusepreview',
    'memory',
    'mcp',
    'mcptoolset',
    'localshell',
    'applypatch',
  ],
  ...['toolsearch', 'toolsearchtoolregex', 'toolsearchtoolbm25', 'browser', 'additionaltools'],
])

/** Null = it is not charged by use. A tool that nobody knows is `other`, which has no price, and so no bound. */
export function toServerTool(type: string): ServerTool | null {
  const name = type
    .toLowerCase()
    .replace(/[_-]?\d[\d_-]*$/, '')
    .replaceAll(/[_-]/g, '')
  if (Object.hasOwn(charged, name)) return charged[name]!
  return free.has(name) ? null : 'other'
}
