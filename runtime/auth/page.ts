// The frame of the pages without a script: one style sheet, which the policy names by its hash.
import { createHash } from 'node:crypto'
import type { Response } from 'express'
import { Html, html } from './html.ts'

// The values of the console's tokens.css, which is not there to load before somebody is signed in, or at all.
const style = `
:root {
  color-scheme: light dark;
  --surface-0: #f7f8fa; --surface-1: #ffffff; --surface-2: #eff1f5; --text-1: #171a21; --text-2: #4c5362;
  --line: #dde1e8; --line-strong: #c3c9d4; --accent: #3c55c9; --accent-text: #ffffff; --state-failed: #b8291d;
}
@media (prefers-color-scheme: dark) {
  :root {
    --surface-0: #101216; --surface-1: #171a20; --surface-2: #1f232b; --text-1: #e9ebf0; --text-2: #b4bac7;
    --line: #282d37; --line-strong: #3a414e; --accent: #8ea2f8; --accent-text: #10131c; --state-failed: #f28b80;
  }
}
* { box-sizing: border-box }
html { height: 100% }
body { margin: 0; min-height: 100%; background: var(--surface-0); color: var(--text-1); font: 13px/20px system-ui, sans-serif }
main { max-width: 420px; margin: 0 auto; padding: 16vh 16px 32px }
header { display: flex; align-items: center; gap: 8px; margin-bottom: 16px; color: var(--accent) }
h1 { font-size: 17px; line-height: 24px; font-weight: 600; margin: 0; color: var(--text-1) }
section { background: var(--surface-1); border: 1px solid var(--line); border-radius: 6px; padding: 20px }
section > :last-child { margin-bottom: 0 }
h2 { font-size: 13px; font-weight: 600; margin: 0 0 8px }
p { margin: 0 0 12px }
.soft { color: var(--text-2) }
.bad { color: var(--state-failed) }
pre { font: 12px/20px ui-monospace, 'SF Mono', 'Cascadia Code', 'DejaVu Sans Mono', monospace; margin: 0 0 12px; padding: 8px 12px; background: var(--surface-2); border-radius: 6px; overflow-x: auto; user-select: all }
label { display: block; font-size: 12px; color: var(--text-2); margin-bottom: 4px }
input { font: inherit; width: 100%; height: 32px; padding: 0 8px; margin-bottom: 12px; color: var(--text-1); background: var(--surface-1); border: 1px solid var(--line-strong); border-radius: 6px }
button { font: inherit; font-weight: 600; height: 32px; padding: 0 16px; color: var(--accent-text); background: var(--accent); border: 0; border-radius: 6px; cursor: pointer }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px }`

const styleHash = createHash('sha256').update(style).digest('base64')
const policy = [
  "default-src 'none'",
  `style-src 'sha256-${styleHash}'`,
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ')

const mark = html`<svg width="16" height="16" viewBox="0 0 16 16" aria-hidden="true"><path d="M2 3h12M8 3v10M4 13h8" stroke="currentColor" stroke-width="2" fill="none" stroke-linecap="round"/></svg>`

export const toPage = (title: string, body: Html): Html => html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<style>${new Html(style)}</style>
</head>
<body>
<main>
<header>${mark}<h1>Treadle</h1></header>
<section>
  ${body}
</section>
</main>
</body>
</html>`

export function sendPage(response: Response, status: number, page: Html): void {
  response.status(status).type('html').setHeader('content-security-policy', policy)
  response.send(page.text)
}
