// The pages before the console: they need no script.
import { type Html, html } from './html.ts'
import { toPage } from './page.ts'

const howToGetLink = (linkMs: number) => html`
<p>In the folder of Treadle, on its machine, this makes a sign-in link:</p>
<pre>npx --no-install treadle login-link</pre>
<p class="soft">A link signs in once, within ${Math.ceil(linkMs / 60_000)} minutes. Open it, or paste it here.</p>`

/** @param next The page that was wanted. */
const pasteForm = (next: string) => html`
<form method="post" action="/auth/sign-in">
<input type="hidden" name="next" value="${next}">
<label for="code">Sign-in link</label>
<input id="code" name="code" autocomplete="off" spellcheck="false" required maxlength="2000" autofocus>
<button>Sign in</button>
</form>`

export const toDoorPage = (linkMs: number, next: string): Html =>
  toPage('Sign in to Treadle', html`<h2>Sign in</h2>${howToGetLink(linkMs)}${pasteForm(next)}`)

/** To open it uses nothing up: mail scanners and browsers fetch links before anybody clicks. */
export const toSignInPage = (code: string, next: string): Html =>
  toPage(
    'Sign in to Treadle',
    html`
<h2>Sign in</h2>
<p>This signs this browser in as the owner. The link works once.</p>
<form method="post" action="/auth/sign-in">
<input type="hidden" name="code" value="${code}"><input type="hidden" name="next" value="${next}">
<button autofocus>Sign in</button>
</form>`,
  )

export const toRefusalPage = (reason: string, linkMs: number, next: string): Html =>
  toPage(
    'Sign in to Treadle',
    html`<h2 class="bad">Not signed in</h2><p>${reason}</p>${howToGetLink(linkMs)}${pasteForm(next)}`,
  )

export const toAwayPage = (reason: string): Html =>
  toPage('Treadle', html`<h2 class="bad">Not available</h2><p>${reason}</p>`)

/** In place of the console, where the configuration has none. */
export const toNoConsolePage = (who: string): Html =>
  toPage(
    'Treadle',
    html`
<h2>Signed in</h2>
<p>${who}. This Treadle runs without its console; the command does the same:</p>
<pre>npx --no-install treadle --help</pre>
<form method="post" action="/auth/sign-out"><button>Sign out</button></form>`,
  )
