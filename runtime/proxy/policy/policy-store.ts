// What people do with policies. Each change and the version of the rules move in one transaction.
import type { DatabasePool } from 'slonik'
import { fault } from '../errors.ts'
import { type Rules, toPolicy } from '../routing/rules.ts'
import { deletePolicy, moveRulesVersion, putPolicy } from '../sql/rules.ts'
import type { NewPolicy, Policy } from './api.ts'

export type PolicyDeps = { db: DatabasePool; rules: Rules; now: () => Date }
type Owner = { org: string; user: string }

/** The whole of it: what is left out is as in a new one. Once it resolves, this process's calls are held to it. */
export async function setPolicy(
  subject: string,
  policy: NewPolicy,
  { org, user }: Owner,
  { db, rules, now }: PolicyDeps,
): Promise<Policy> {
  const row = await db.transaction(async (transaction) => {
    await transaction.query(moveRulesVersion())
    return transaction.one(putPolicy({ org, subject, definition: policy, user }, now()))
  })
  await rules.refresh()
  return toPolicy(row)!
}

export async function removePolicy(
  org: string,
  subject: string,
  { db, rules }: PolicyDeps,
): Promise<void> {
  await db.transaction(async (transaction) => {
    const row = await transaction.maybeOne(deletePolicy(org, subject))
    if (!row) throw fault('policy/absent', { detail: subject })
    await transaction.query(moveRulesVersion())
  })
  await rules.refresh()
}

export function readPolicy(org: string, subject: string, { rules }: PolicyDeps): Policy {
  const found = rules.policiesOf(org).find((policy) => policy.subject === subject)
  if (!found) throw fault('policy/absent', { detail: subject })
  return found
}
