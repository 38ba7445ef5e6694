import { type Html, html } from './html.ts'
import { toPage } from './page.ts'

const howToGetLink = (linkMs: number) => html`
<p>In the folder of Treadle on its machine, this makes a sign-in link:</p>
<pre>npx --no-install treadle login-link</pre>
<p class="soft">A link signs in once, within ${Math.ceil(linkMs / 60_000)} minutes.</p>`

export const toDoorPage = (linkMs: number): Html =>
  toPage('Treadle', html`<section><h2>You are not signed in</h2>${howToGetLink(linkMs)}</section>`)

/** To open it uses nothing up: mail scanners and browsers fetch links before anybody clicks. */
export const toSignInPage = (code: string): Html =>
  toPage(
    'Sign in to Treadle',
    html`
<section><h2>Sign in</h2>
<p>This signs this browser in as the owner. The link works once.</p>
<form method="post" action="/auth/sign-in">
<input type="hidden" name="code" value="${code}"><button>Sign in</button>
</form></section>`,
  )

export const toRefusalPage = (reason: string, linkMs: number): Html =>
  toPage(
    'Sign in to Treadle',
    html`<section><h2 class="bad">Not signed in</h2><p>${reason}</p>${howToGetLink(linkMs)}</section>`,
  )
