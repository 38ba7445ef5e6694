// Built-in modules for what runs before a cold sandbox's first command is done. An `import` of one reads all of its
// exports, and some load more when they are read: with node:http comes a whole HTTP client (45 ms), with node:fs its
// promises (4 ms). Guarded by life.test.ts.
export const fs = process.getBuiltinModule('node:fs')
export const net = process.getBuiltinModule('node:net')
export const os = process.getBuiltinModule('node:os')
export const http = process.getBuiltinModule('node:http')
export const { parseArgs } = process.getBuiltinModule('node:util')
