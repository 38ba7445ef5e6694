import type { UserClaims } from '#kernel/tokens.ts'
import { toUsdText } from '#kernel/units.ts'
import type { Loop } from '../spool/api.ts'
import type { Status } from './api.ts'
import { type Html, html } from './html.ts'
import { toPage } from './page.ts'

/** @param loops Undefined when spool did not answer. */
export function toStatusPage(claims: UserClaims, status: Status, loops?: readonly Loop[]): Html {
  const body = html`
<section><h2>Roles</h2>${toRoles(status)}</section>
<section><h2>Last loops</h2>${loops ? toLoops(loops) : noAnswer}</section>
  ${commands}
<p class="soft">Treadle ${status.version}, up since <time>${status.startedAt}</time>. This page shows what goes on;
there is no console in this version, and what can be done is done with the command <code>treadle</code>.</p>`
  return toPage('Treadle', body, toWho(claims))
}

const toWho = ({ sub, org, channel }: UserClaims) => html`
<span class="who">${sub} of ${org}${channel === 'session' ? signOut : html``}</span>`

const signOut = html` · <form method="post" action="/auth/sign-out"><button class="link">Sign out</button></form>`

const toRoles = ({ roles, proxyUrl }: Status) => html`
<ul class="roles">${roles.map(({ role, up }) =>
  up
    ? html`<li><span class="good">●</span> ${role} <span class="soft">up</span></li>`
    : html`<li><span class="bad">○</span> ${role} <span class="bad">down</span></li>`,
)}</ul>
<p class="soft">Models are called at <code>${proxyUrl}</code>, with a key made by <code>treadle key create</code>.</p>`

const noAnswer = html`<p class="bad">spool does not answer, so the loops can't be shown.</p>`

const toLoops = (loops: readonly Loop[]) =>
  loops.length === 0
    ? html`<p class="soft">None yet.</p>`
    : html`
<table>
<tr><th>Loop</th><th>State</th><th>Model</th><th class="number">Passes</th><th class="number">Cost</th></tr>
  ${loops.map(toRow)}
</table>`

const toRow = (loop: Loop) => html`
<tr><td>${loop.name}<br><code class="soft">${loop.id}</code></td>
<td><span class="${toTone(loop)}">${loop.ending ?? loop.state}</span>${toReason(loop.reason)}</td>
<td>${loop.spec.model}${loop.isRehearsal ? rehearsal : html``}</td>
<td class="number" data-label="Passes">${loop.passes}</td><td class="number" data-label="Cost">${toUsdText(loop.costNanoUsd)}</td></tr>`

const toReason = (reason: string | null) =>
  reason ? html`<br><span class="soft">${reason}</span>` : html``

// A rehearsal's figures came from a script, and must never pass for a vendor's.
const rehearsal = html` <span class="tag">rehearsal</span>`

function toTone({ state, ending }: Loop): 'good' | 'bad' | 'wait' {
  if (state !== 'ended') return 'wait'
  return ending === 'done' ? 'good' : 'bad'
}

const commands = html`
<section><h2>What to do here</h2>
<p>In the folder of Treadle, each with <code>npx --no-install</code> in front:</p>
<pre>
treadle provider add NAME --kind anthropic --key-file FILE
treadle loop run LOOP.yaml
treadle loop list
treadle loop logs ID
treadle usage
treadle --help</pre></section>`
