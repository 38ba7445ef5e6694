import type { NewLoopInput } from '../../spool/api.ts'

/** A small repository as data, and the loop that works on it. */
export type DemoTask = {
  /** Path in the repository, and content but for its last line break. */
  files: Readonly<Record<string, string>>
  loop: Omit<NewLoopInput, 'repository'>
}

type Told = Pick<DemoTask['loop'], 'name' | 'agent'>

// Some agents echo their prompt, so it describes the promise and does not hold it.
const prompt = `Do the topmost open item of PLAN.md, and only that one: look at the code and at its
tests, correct the code, run the tests with node --test, tick the item's box.
When no item is open and every test passes, end your answer with the word COMPLETE inside a promise
tag (written like <b>word</b>).`

/** The script of the rehearsal model has the task's name. */
export const toLoop = ({ name, agent }: Told): DemoTask['loop'] => ({
  name,
  agent,
  model: `rehearsal/${name}`,
  prompt,
  plan: 'PLAN.md',
  gates: [{ name: 'tests', command: ['node', '--test'], timeout: '1m' }],
  caps: { iterations: 6, time: '10m', idle: '2m', usd: 1 },
})

export const toPackage = (name: string) =>
  JSON.stringify({ name, private: true, type: 'module' }, null, 2)

export const toPlan = (...items: string[]) =>
  `# Plan\n\n${items.map((item) => `- [ ] ${item}`).join('\n')}`
