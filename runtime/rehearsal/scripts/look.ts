import type { Step } from '../script.ts'

// TAP has one plain line a test in every Node and terminal; the default report has neither.
const tests = `node --test --test-reporter=tap 2>&1 | grep -E '^(not )?ok |^# (pass|fail) '`

export const runTests: Step = { say: 'Do the tests pass now?', run: tests }

/** Shows the folder, the plan, and which tests fail. */
export const lookAtWork: Step = {
  say: 'I look at the plan and at the tests first.',
  run: `echo "cwd=$PWD"; cat PLAN.md; ${tests}`,
}

/** Shows the folder alone, for scripts that do the same in every repository. */
export const lookAtFolder: Step = {
  say: 'I look around first.',
  run: 'echo "cwd=$PWD"; ls',
}

export const isOpen = (item: string) => new RegExp(`^- \\[ \\] ${RegExp.escape(item)}$`, 'm')
export const hasRedTest = /^# fail [1-9]/m
export const isGreen = /^# fail 0$/m

export const tick = (item: string): Step[] => [
  { read: 'PLAN.md' },
  { edit: { path: 'PLAN.md', from: `- [ ] ${item}`, to: `- [x] ${item}` } },
]

export const promise = '<promise>COMPLETE</promise>'
export const allDone: Step = { say: `Nothing is open and the tests pass.\n\n${promise}` }
