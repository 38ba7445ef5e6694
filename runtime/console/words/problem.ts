export type Problem = { path: string; message: string; value?: unknown; fix?: string }

/** The checker's own words for a field that was left empty say nothing to who left it. */
export const toPlain = (problem: Problem): Problem =>
  isEmpty(problem.value) && /^(Invalid (input|option)|Too small)/.test(problem.message)
    ? { ...problem, message: 'This is needed.' }
    : problem

const isEmpty = (value: unknown) => value === undefined || value === '""' // As JSON, cut short.
