// What the rules let pass, each with its reason. The lists may only get shorter without one.

/** Programs of their own: they may read the environment, act when imported, and be imported by nobody. */
export const entryPoints = [
  /(^|[/-])main\.(ts|js)$/, // `main.ts`, and `crash-main.ts` of a role's own `testing/`.
  /\.test\.ts$/,
  /^runtime\/cli\/treadle\.js$/, // The bin: it must run before Node 26 is found.
  /^runtime\/start\/[^/]+\.js$/, // The pre-start script, for the same reason.
  /^runtime\/bench\/[^/]+\.ts$/,
  /\.config\.ts$/, // A tool finds it by its name.
]
export const isEntryPoint = (path: string) => entryPoints.some((pattern) => pattern.test(path))

/** Rooms that put others together, and so may import them. */
export const assemblingRooms = ['runtime/start', 'runtime/testing', 'runtime/bench']

/** Tests, and what only they use: whole rooms, and a role's own `testing.ts` or `testing/`. */
export const isShipped = (path: string) =>
  !/^runtime\/(testing|bench|tidy)\/|\.test\.ts$|\/testing(\.ts$|\/)/.test(path)

/** Files over 400 lines, with the reason. */
export const longFiles: Readonly<Record<string, string>> = {}

/** Functions over 70 lines, `path name` to lines. A ratchet: the figure may only go down. */
export const longFunctions: Readonly<Record<string, number>> = {}

/** SQL text outside `sql/` and `migrations/`. Folders end in a slash. */
export const sqlElsewhere = [
  'runtime/testing/', // Makes and drops throw-away databases.
  'runtime/bench/',
  'runtime/kernel/database.ts', // Makes the roles' logins and schemas, before any role has a statement.
  'runtime/tidy/', // Holds planted offences.
]

/** Tool configs, where the tool asks for a default export. */
export const defaultExports = [/(^|\/)[\w.-]+\.config\.(ts|js)$/]
