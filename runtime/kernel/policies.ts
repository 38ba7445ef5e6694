// The Cedar engine over one folder of policies: one schema, and one .cedar file a concern.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { basename } from 'node:path'
import * as cedar from '@cedar-policy/cedar-wasm/nodejs'
import type { Decision } from './access.ts'

export type PolicyEngine = {
  /** Every policy's id: `loops/a member creates loops`. */
  ids: readonly string[]
  decide(request: {
    principal: cedar.EntityJson & { uid: cedar.TypeAndId }
    action: string
    resource: cedar.EntityJson & { uid: cedar.TypeAndId }
  }): Decision
}

// Checking costs some 100 ms, and Cedar keeps what it parsed for good: roles that share a process share the engine.
const engines = new Map<string, PolicyEngine>()

/** Throws with every problem of the schema and the policies. */
export function loadPolicies(folder: URL): PolicyEngine {
  const schema = readFileSync(new URL('schema.cedarschema', folder), 'utf8')
  const files = readdirSync(folder)
    .filter((name) => name.endsWith('.cedar'))
    .sort()
  const texts = files.map((file) => readFileSync(new URL(file, folder), 'utf8'))
  const key = createHash('sha256')
    .update(JSON.stringify([schema, files, texts]))
    .digest('hex')
  const known = engines.get(key)
  if (known) return known
  const policies = new Map<string, string>()
  for (const [index, file] of files.entries()) {
    for (const [id, text] of toPolicies(basename(file, '.cedar'), texts[index]!)) {
      assert(!policies.has(id), `The policy ${id} stands there twice.`)
      policies.set(id, text)
    }
  }
  const engine = createEngine(key, schema, Object.fromEntries(policies))
  engines.set(key, engine)
  return engine
}

/** A file's policies by id: the file's name and the policy's own `@id`, which says what it does. */
function toPolicies(file: string, text: string): [string, string][] {
  const parts = cedar.policySetTextToParts(text)
  if (parts.type === 'failure') throw new Error(`${file}.cedar: ${toText(parts.errors)}`)
  return parts.policies.map((policy) => {
    const parsed = cedar.policyToJson(policy)
    const id = parsed.type === 'success' && parsed.json.annotations?.id
    assert(id, `${file}.cedar has a policy without @id.`)
    return [`${file}/${id}`, policy]
  })
}

function createEngine(
  name: string,
  schema: string,
  policies: Record<string, string>,
): PolicyEngine {
  assertValid(cedar.preparseSchema(name, schema), 'schema')
  assertStrict(schema, policies)
  assertValid(cedar.preparsePolicySet(name, { staticPolicies: policies }), 'policies')
  return {
    ids: Object.keys(policies),
    decide({ principal, action, resource }) {
      const answer = cedar.statefulIsAuthorized({
        principal: principal.uid,
        action: { type: 'Action', id: action },
        resource: resource.uid,
        context: {},
        preparsedSchemaName: name,
        preparsedPolicySetId: name,
        validateRequest: true,
        entities: [principal, resource],
      })
      return toDecision(answer)
    },
  }
}

/** A policy whose condition fails to evaluate does not apply, be it a forbid: any error denies. */
function toDecision(answer: cedar.AuthorizationAnswer): Decision {
  if (answer.type === 'failure')
    return { allowed: false, reasons: [], errors: answer.errors.map(toLine) }
  const { decision, diagnostics } = answer.response
  const errors = diagnostics.errors.map(({ policyId, error }) => `${policyId}: ${error.message}`)
  return {
    allowed: decision === 'allow' && errors.length === 0,
    reasons: diagnostics.reason,
    errors,
  }
}

function assertStrict(schema: string, policies: Record<string, string>): void {
  const answer = cedar.validate({
    schema,
    policies: { staticPolicies: policies },
    validationSettings: { mode: 'strict' },
  })
  if (answer.type === 'failure')
    throw new Error(`The policies can't be checked: ${toText(answer.errors)}`)
  const problems = [...answer.validationErrors, ...answer.validationWarnings]
  const lines = problems.map(({ policyId, error }) => `${policyId}: ${toLine(error)}`)
  if (lines.length > 0) throw new Error(`The policies don't fit the schema:\n${lines.join('\n')}`)
}

function assertValid(answer: cedar.CheckParseAnswer, what: string): void {
  if (answer.type === 'failure')
    throw new Error(`The access ${what} can't be read: ${toText(answer.errors)}`)
}

const toLine = ({ message, help }: cedar.DetailedError) => (help ? `${message}. ${help}` : message)
const toText = (errors: cedar.DetailedError[]) => errors.map(toLine).join('\n')
