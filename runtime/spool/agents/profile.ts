// What is known of an agent, as data: one file an agent, read by everything else here. No agent gets a credential from
// it: the sandbox's own token is in TREADLE_TOKEN, which the daemon sets.
//
// Text may hold placeholders: `{{model}}`, `{{base}}` and `{{api}}` (see WireChoice) are filled in by toAgentStart;
// `{{origin}}` is left for the sandbox, which alone knows it.
import type { Wire } from '../../proxy/api.ts'
import type { Value } from './config-text.ts'

export type Profile = {
  /** Its name for a person. */
  title: string
  /** Of its program, as its authors state it. */
  licence: string
  program: Program
  /** The version that the tests, or the recorded conversation, were made with; null = it is this installation's. */
  provedVersion: string | null
  /** How: by a whole loop of its real program, or by its requests as they were recorded from it. */
  proof: 'real program' | 'recorded conversation'
  /** Peak of its processes together, as it was measured. A sandbox must have more. */
  memoryBytes: number
  /** The best first: the first one that the model is served on is taken. */
  wires: readonly WireChoice[]
  /** How the prompt, a file in its home, comes to it. */
  prompt: 'on its input' | 'by its path as the last argument'
  /** What follows the program. */
  args: readonly string[]
  env: Readonly<Record<string, string>>
  /** The variable in which it looks for its key, where that is not TREADLE_TOKEN: the token moves there. */
  tokenVariable?: string
  /** Below its home. Retries are few here: the loop is what tries again, and an agent that does so for minutes looks hung. */
  files: readonly ConfigFile[]
  /** Meaning of single exit codes. */
  exits: Readonly<Record<number, string>>
  /** False where it ends with 0 whatever happened. The proxy's record decides in any case. */
  exitTells: boolean
  /** Whether commands that it runs see the sandbox's token. It is worth nothing outside its sandbox. */
  token: 'kept from its commands' | 'seen by its commands'
  /** For an agent whose last words are an argument of a tool: finds them in the end of its output. */
  readLastWords?: (output: string) => string | null
}

/** What `{{base}}` and `{{api}}` become where the agent speaks this wire. */
export type WireChoice = { wire: Wire; base: string; api: string }

export type ConfigFile = { path: string; format: 'json' | 'toml'; content: Value }

/** Where its program comes from, and how it is run. `{{arch}}` is x64 or arm64. */
export type Program =
  | { kind: 'ours'; entry: string }
  | (Installable & { kind: 'node'; entry: string })
  /** One file of machine code, in the first of these packages that is there. */
  | (Installable & { kind: 'native'; parts: readonly string[]; entry: string })
  | (Installable & { kind: 'python'; module: string; python: string })

type Installable = {
  package: string
  /** What a person types to run it. */
  command: string
  /** How a person gets it. */
  install: string
}
