// Two closed tables: faults of the routes that people and other roles use, and refusals on the model routes,
// which speak the vendors' error shapes (refusal.ts) so that agents stop, wait or report as they should.
import { createFaults, type FaultTable } from '#kernel/fault.ts'

export type ProxyCode =
  | 'call/absent'
  | 'budget/absent'
  | 'budget/exists'
  | 'budget/full'
  | 'budget/invalid'
  | 'provider/absent'
  | 'provider/address'
  | 'provider/exists'
  | 'provider/invalid'
  | 'usage/invalid'
  | 'ledger/behind'
  | 'route/none'
  | 'route/exists'
  | 'route/invalid'
  | 'policy/absent'
  | 'policy/invalid'
  | 'explain/invalid'
  | 'explain/key-absent'

export const faultTable: FaultTable<ProxyCode> = {
  'call/absent': { status: 404, text: 'No call has this id.' },
  'budget/absent': { status: 404, text: 'No budget has this name.' },
  'budget/exists': { status: 409, text: 'A budget has this name. Change it, or remove it first.' },
  'budget/full': { status: 409, text: 'There are as many budgets as there may be.' },
  'budget/invalid': { status: 400, text: 'The budget is not as the schema asks.' },
  'provider/absent': { status: 404, text: 'No provider has this name.' },
  'provider/address': { status: 400, text: 'This base URL is not allowed.' },
  'provider/exists': { status: 409, text: 'A provider has this name. Remove it first.' },
  'provider/invalid': { status: 400, text: 'The provider is not as the schema asks.' },
  'usage/invalid': { status: 400, text: 'The question is not as the schema asks.' },
  'ledger/behind': { status: 503, text: 'The ledger is not in the database yet. Ask again.' },
  'route/none': { status: 404, text: 'No route has this name.' },
  'route/exists': { status: 409, text: 'A route has this name. Remove it first, or change it.' },
  'route/invalid': { status: 400, text: 'The route is not as the schema asks.' },
  'policy/absent': { status: 404, text: 'No policy is set for this.' },
  'policy/invalid': { status: 400, text: 'The policy is not as the schema asks.' },
  'explain/invalid': { status: 400, text: 'The question is not as the schema asks.' },
  'explain/key-absent': { status: 404, text: 'No API key that is good has this id.' },
}
export const fault = createFaults(faultTable)

export type RefusalCode =
  | 'body/encoded'
  | 'body/invalid'
  | 'body/too-large'
  | 'budget/requests'
  | 'budget/tokens'
  | 'budget/unknown'
  | 'budget/usd'
  | 'budget/wait'
  | 'capacity/full'
  | 'credential/absent'
  | 'credential/query'
  | 'credential/refused'
  | 'credential/two'
  | 'headers/refused'
  | 'internal'
  | 'keys/unknown'
  | 'ledger/full'
  | 'model/absent'
  | 'model/refused'
  | 'price/none'
  | 'provider/none'
  | 'query/refused'
  | 'rate/loop'
  | 'response/absent'
  | 'conversation/absent'
  | 'route/absent'
  | 'upgrade/refused'
  | 'upstream/address'
  | 'upstream/failed'
  | 'upstream/timeout'
  | 'version/refused'
  | 'capacity/provider'
  | 'policy/model'
  | 'policy/output'
  | 'policy/region'
  | 'policy/retention'
  | 'policy/tool'
  | 'response/absent'
  | 'responses/unknown'
  | 'tags/invalid'
  | 'upstream/credentials'

type RefusalRow = {
  status: number
  /** The vendors' name for this sort of error. */
  type: string
  text: string
  /** Denied: booked as such, and shown as the sandbox's denial. */
  isDenial?: true
}

export const refusalTable: Readonly<Record<RefusalCode, RefusalRow>> = {
  'body/encoded': {
    status: 415,
    type: 'invalid_request_error',
    text: 'Send the body plain, or as gzip, deflate, br or zstd.',
  },
  'body/invalid': {
    status: 400,
    type: 'invalid_request_error',
    text: 'The body is not as a model call has it.',
  },
  'body/too-large': { status: 413, type: 'request_too_large', text: 'The body is too large.' },
  'budget/requests': {
    status: 402,
    type: 'billing_error',
    text: 'A budget of requests is spent.',
    isDenial: true,
  },
  'budget/tokens': {
    status: 402,
    type: 'billing_error',
    text: 'A budget of tokens has no room for this call.',
    isDenial: true,
  },
  'budget/unknown': {
    status: 503,
    type: 'api_error',
    text: "How much of a budget is left can't be known now, so nothing is spent of it.",
  },
  'budget/usd': {
    status: 402,
    type: 'billing_error',
    text: 'A budget in dollars has no room for this call.',
    isDenial: true,
  },
  'budget/wait': {
    status: 429,
    type: 'rate_limit_error',
    text: 'A budget has no room for this call at this moment.',
  },
  'capacity/full': {
    status: 503,
    type: 'overloaded_error',
    text: 'Too many calls at once. Try again soon.',
  },
  'credential/absent': {
    status: 401,
    type: 'authentication_error',
    text: 'Give a key or token in authorization (Bearer), x-api-key, api-key or x-goog-api-key.',
  },
  'credential/query': {
    status: 400,
    type: 'invalid_request_error',
    text: 'Of a credential in an address the name `key` alone is known. Send it as x-goog-api-key.',
  },
  'credential/refused': {
    status: 401,
    type: 'authentication_error',
    text: 'This key or token is not good here.',
  },
  'credential/two': {
    status: 400,
    type: 'invalid_request_error',
    text: 'Two different credentials were given. Send one.',
  },
  'headers/refused': {
    status: 400,
    type: 'invalid_request_error',
    text: 'The request is framed ambiguously.',
  },
  internal: {
    status: 500,
    type: 'api_error',
    text: 'Something failed in the proxy; its log has it.',
  },
  'keys/unknown': {
    status: 503,
    type: 'api_error',
    text: "The keys can't be checked now. Try again soon.",
  },
  'ledger/full': {
    status: 503,
    type: 'api_error',
    text: "The ledger can't take another call now, so none is sent.",
  },
  'model/absent': {
    status: 404,
    type: 'not_found_error',
    text: 'No model of this name is to be had here.',
  },
  'model/refused': {
    status: 403,
    type: 'permission_error',
    text: 'This model is not allowed here.',
    isDenial: true,
  },
  'price/none': {
    status: 402,
    type: 'billing_error',
    text: 'This model has no price, so a budget in dollars forbids it.',
    isDenial: true,
  },
  'provider/none': {
    status: 403,
    type: 'permission_error',
    text: 'No provider serves this model here.',
    isDenial: true,
  },
  'query/refused': {
    status: 400,
    type: 'invalid_request_error',
    text: 'This query is not taken here.',
  },
  'rate/loop': { status: 429, type: 'rate_limit_error', text: 'These calls come too fast.' },
  'route/absent': { status: 404, type: 'not_found_error', text: 'Nothing answers here.' },
  'upgrade/refused': {
    status: 426,
    type: 'invalid_request_error',
    text: 'No WebSocket here: use plain HTTP.',
  },
  'upstream/address': {
    status: 502,
    type: 'api_error',
    text: "The provider's address is not allowed.",
  },
  'upstream/failed': { status: 502, type: 'api_error', text: "The provider can't be reached." },
  'upstream/timeout': {
    status: 504,
    type: 'api_error',
    text: 'The provider did not answer in time.',
  },
  'version/refused': { status: 505, type: 'invalid_request_error', text: 'Speak HTTP/1.1.' },
  'capacity/provider': {
    status: 503,
    type: 'overloaded_error',
    text: 'The provider has as many calls as it may have at once. Try again soon.',
  },
  'policy/model': {
    status: 403,
    type: 'permission_error',
    text: 'A policy does not allow this model.',
    isDenial: true,
  },
  'policy/output': {
    status: 403,
    type: 'permission_error',
    text: 'A policy limits the tokens of an answer.',
    isDenial: true,
  },
  'policy/region': {
    status: 403,
    type: 'permission_error',
    text: 'A policy asks for a region in which no provider serves this model.',
    isDenial: true,
  },
  'policy/retention': {
    status: 403,
    type: 'permission_error',
    text: 'A policy asks for a data retention that no provider of this model promises.',
    isDenial: true,
  },
  'policy/tool': {
    status: 403,
    type: 'permission_error',
    text: 'A policy does not allow this tool.',
    isDenial: true,
  },
  'response/absent': {
    status: 404,
    type: 'invalid_request_error',
    text: 'No response of this id is known here.',
  },
  'conversation/absent': {
    status: 404,
    type: 'invalid_request_error',
    text: 'Conversations that a vendor keeps are not to be had here: whose one is can not be told.',
  },
  'responses/unknown': {
    status: 503,
    type: 'api_error',
    text: "Whose response this is can't be found out now. Try again soon.",
  },
  'tags/invalid': {
    status: 400,
    type: 'invalid_request_error',
    text: 'The tags in x-treadle-tags are not as they must be.',
  },
  'upstream/credentials': {
    status: 502,
    type: 'api_error',
    text: 'No credential of the providers for this model works now. Yours is good; an owner must look at theirs.',
  },
}
