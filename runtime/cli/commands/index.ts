// Every sub-command there is, in the order in which help shows them.
import type { SubCommand } from '../command.ts'
import { agentList } from './agent-list.ts'
import { agentTest } from './agent-test.ts'
import { budgetAdd } from './budget-add.ts'
import { budgetList } from './budget-list.ts'
import { budgetRaise } from './budget-raise.ts'
import { budgetRemove } from './budget-remove.ts'
import { budgetSet } from './budget-set.ts'
import { budgetShow } from './budget-show.ts'
import { completion } from './completion.ts'
import { doctor } from './doctor.ts'
import { home } from './home.ts'
import { keyCreate } from './key-create.ts'
import { keyList } from './key-list.ts'
import { keyRevoke } from './key-revoke.ts'
import { keyRotate } from './key-rotate.ts'
import { keySet } from './key-set.ts'
import { loginLink } from './login-link.ts'
import { loopAttach } from './loop-attach.ts'
import { loopCancel } from './loop-cancel.ts'
import { loopList } from './loop-list.ts'
import { loopLogs } from './loop-logs.ts'
import { loopNew } from './loop-new.ts'
import { loopPause } from './loop-pause.ts'
import { loopReplay } from './loop-replay.ts'
import { loopResume } from './loop-resume.ts'
import { loopRetry } from './loop-retry.ts'
import { loopRun } from './loop-run.ts'
import { loopShow } from './loop-show.ts'
import { loopWatch } from './loop-watch.ts'
import { policyList } from './policy-list.ts'
import { policyRemove } from './policy-remove.ts'
import { policySet } from './policy-set.ts'
import { policyShow } from './policy-show.ts'
import { priceCheck } from './price-check.ts'
import { priceList } from './price-list.ts'
import { priceShow } from './price-show.ts'
import { providerAdd } from './provider-add.ts'
import { providerList } from './provider-list.ts'
import { providerRemove } from './provider-remove.ts'
import { providerRotate } from './provider-rotate.ts'
import { providerSet } from './provider-set.ts'
import { providerTest } from './provider-test.ts'
import { proxyExplain } from './proxy-explain.ts'
import { routeAdd } from './route-add.ts'
import { routeList } from './route-list.ts'
import { routeRemove } from './route-remove.ts'
import { routeShow } from './route-show.ts'
import { sandboxAttach } from './sandbox-attach.ts'
import { sandboxDelete } from './sandbox-delete.ts'
import { sandboxExec } from './sandbox-exec.ts'
import { sandboxList } from './sandbox-list.ts'
import { sandboxRecord } from './sandbox-record.ts'
import { status } from './status.ts'
import { threadList } from './thread-list.ts'
import { threadSearch } from './thread-search.ts'
import { threadShow } from './thread-show.ts'
import { usage } from './usage.ts'
import { usageReconcile } from './usage-reconcile.ts'

export const groups = {
  loop: 'Run agent loops and look at them.',
  agent: 'See which agents there are, and prove one on this machine.',
  sandbox: 'Look into the sandboxes that loops run in.',
  thread: 'Read and search what was said to models.',
  provider: 'Keep the keys of model providers.',
  route: 'Say which providers serve which models.',
  policy: 'Say which model calls may be made.',
  proxy: 'Look into how model calls are decided.',
  budget: 'Cap what calls of models may cost.',
  price: 'See what models cost, and try a file of prices.',
  key: 'Make and end your own API keys.',
} as const

export const commands: readonly SubCommand[] = [
  home,
  loopRun,
  loopNew,
  loopList,
  loopShow,
  loopWatch,
  loopLogs,
  loopAttach,
  loopReplay,
  loopPause,
  loopResume,
  loopCancel,
  loopRetry,
  agentList,
  agentTest,
  sandboxList,
  sandboxAttach,
  sandboxRecord,
  sandboxExec,
  sandboxDelete,
  threadList,
  threadShow,
  threadSearch,
  providerAdd,
  providerList,
  providerTest,
  providerRotate,
  providerSet,
  providerRemove,
  routeAdd,
  routeList,
  routeShow,
  routeRemove,
  policySet,
  policyList,
  policyShow,
  policyRemove,
  proxyExplain,
  budgetAdd,
  budgetList,
  budgetShow,
  budgetSet,
  budgetRaise,
  budgetRemove,
  priceList,
  priceShow,
  priceCheck,
  keyCreate,
  keyList,
  keySet,
  keyRotate,
  keyRevoke,
  usage,
  usageReconcile,
  loginLink,
  status,
  doctor,
  completion,
]
