// Who is signed in, and for which organisation.
import type { Me, OrgList } from '../../auth/api.ts'
import { ask, type Refusal } from './ask.ts'

class Session {
  me: Me | undefined = $state.raw(undefined)
  orgs: OrgList['items'] = $state.raw([])
  error: Refusal | undefined = $state.raw(undefined)

  async read(): Promise<void> {
    try {
      const [me, orgs] = await Promise.all([ask<Me>('/api/me'), ask<OrgList>('/api/orgs')])
      // Another tab has entered another organisation, or signed in as somebody else: nothing of before may stay here.
      if (this.me && (this.me.org !== me.org || this.me.user !== me.user)) location.assign('/loops')
      this.me = me
      this.orgs = orgs.items
      this.error = undefined
    } catch (error) {
      this.error = error as Refusal
    }
  }

  async enter(org: string): Promise<void> {
    await ask(`/api/orgs/${encodeURIComponent(org)}/enter`, { method: 'POST' })
    location.assign('/loops') // Nothing of the other organisation may stay on the page.
  }
}

export const session = new Session()
