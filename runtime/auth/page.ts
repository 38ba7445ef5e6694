// The frame of every page: no script, one style sheet, which the policy names by its hash.
import { createHash } from 'node:crypto'
import type { Response } from 'express'
import { Html, html } from './html.ts'

const style = `
:root {
  color-scheme: light dark;
  --ground: #fbfaf8; --sheet: #ffffff; --ink: #1d1b18; --soft: #6a645b; --line: #e4dfd6;
  --accent: #7a3e12; --good: #23703a; --bad: #a52a1e; --wait: #8a6100;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #171513; --sheet: #201d1a; --ink: #ece7df; --soft: #a79f93; --line: #37322c;
    --accent: #e0a070; --good: #74c48a; --bad: #ef8a7d; --wait: #dcb55c;
  }
}
* { box-sizing: border-box }
body { margin: 0; background: var(--ground); color: var(--ink); font: 16px/1.5 system-ui, sans-serif }
main { max-width: 52rem; margin: 0 auto; padding: 2rem 1.25rem 4rem }
header { display: flex; flex-wrap: wrap; gap: .5rem 1rem; align-items: baseline; margin-bottom: 1.5rem }
h1 { font-size: 1.5rem; margin: 0; letter-spacing: -.01em }
h2 { font-size: 1rem; margin: 0 0 .75rem }
p { margin: 0 0 .75rem }
section > :last-child { margin-bottom: 0 }
section { background: var(--sheet); border: 1px solid var(--line); border-radius: 8px; padding: 1.25rem; margin-bottom: 1rem; overflow-x: auto }
.who { margin-left: auto; color: var(--soft) }
.who form { display: inline }
.soft { color: var(--soft) }
.good { color: var(--good) }
.bad { color: var(--bad) }
.wait { color: var(--wait) }
ul.roles { display: flex; flex-wrap: wrap; gap: .5rem 1.5rem; list-style: none; margin: 0 0 .75rem; padding: 0 }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums }
th, td { text-align: left; padding: .4rem 1rem .4rem 0; border-top: 1px solid var(--line); vertical-align: top }
th { border-top: 0; color: var(--soft); font-weight: 500 }
th:last-child, td:last-child { padding-right: 0 }
th.number, td.number { text-align: right }
@media (max-width: 40rem) {
  tr:first-child { display: none }
  tr { display: block; border-top: 1px solid var(--line); padding: .6rem 0 }
  td { display: block; border: 0; padding: 0 }
  td.number { display: inline-block; text-align: left; margin-right: 1.5rem; color: var(--soft) }
  td.number::before { content: attr(data-label) " " }
}
code, pre { font: .875rem/1.6 ui-monospace, monospace }
pre { margin: 0 0 .75rem; overflow-x: auto }
.tag { border: 1px solid var(--line); border-radius: 4px; padding: 0 .35rem; font-size: .8rem; color: var(--soft); white-space: nowrap }
button { font: inherit; color: var(--sheet); background: var(--accent); border: 0; border-radius: 6px; padding: .5rem 1.1rem; cursor: pointer }
button.link { color: var(--accent); background: none; padding: 0; text-decoration: underline }
button:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px }`

const styleHash = createHash('sha256').update(style).digest('base64')
const policy = [
  "default-src 'none'",
  `style-src 'sha256-${styleHash}'`,
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ')

/** @param who What stands at the top right: who is signed in. */
export const toPage = (title: string, body: Html, who: Html = html``): Html => html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<style>${new Html(style)}</style>
</head>
<body>
<main>
<header><h1>Treadle</h1>${who}</header>
  ${body}
</main>
</body>
</html>`

export function sendPage(response: Response, status: number, page: Html): void {
  response.status(status).type('html').setHeader('content-security-policy', policy)
  response.send(page.text)
}
