// Where npm's program is. Plain JavaScript for Node 20, like install.js.
import { existsSync, realpathSync } from 'node:fs'
import { delimiter, join } from 'node:path'

/**
 * The one that runs this, else the one that came with this Node, else the one on PATH (Debian's lies apart from its Node).
 * By path: npm 11 exports none of its files to `require.resolve`.
 */
export function findNpm({ npmExecPath, nodePath, path = '' }) {
  if (npmExecPath && /npm-cli\.js$/.test(npmExecPath)) return npmExecPath
  const ownPath = join(nodePath, '../../lib/node_modules/npm/bin/npm-cli.js')
  if (existsSync(ownPath)) return ownPath
  const found = path
    .split(delimiter)
    .map((folder) => join(folder, 'npm'))
    .filter((file) => existsSync(file))
    .map((file) => realpathSync(file))
    .find((file) => /npm-cli\.js$/.test(file))
  if (found === undefined)
    throw new Error('No npm is here: install it, or run this by `npm start`.')
  return found
}
