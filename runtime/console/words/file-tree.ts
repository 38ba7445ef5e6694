// Changed files as the rows of a tree. Folders that hold one folder alone share its row.

export type TreeRow<File> =
  | { kind: 'folder'; key: string; name: string; depth: number }
  | { kind: 'file'; key: string; name: string; depth: number; file: File; index: number }

type Folder<File> = { folders: Map<string, Folder<File>>; files: [string, File][] }

/** `index` is the file's place in the tree's own order, which is the order to show the files in. */
export function toTreeRows<File extends { path: string }>(files: readonly File[]): TreeRow<File>[] {
  const root = createFolder<File>()
  for (const file of files) {
    const segments = file.path.split('/')
    const name = segments.pop()!
    let folder = root
    for (const segment of segments) {
      const inner = folder.folders.get(segment) ?? createFolder<File>()
      folder.folders.set(segment, inner)
      folder = inner
    }
    folder.files.push([name, file])
  }
  const rows: TreeRow<File>[] = []
  addRows(root, { rows, depth: 0, path: '', count: { files: 0 } })
  return rows
}

const createFolder = <File>(): Folder<File> => ({ folders: new Map(), files: [] })

type Place<File> = {
  rows: TreeRow<File>[]
  depth: number
  path: string
  count: { files: number }
}

const byName = ([one]: [string, unknown], [other]: [string, unknown]) => one.localeCompare(other)

function addRows<File extends { path: string }>(folder: Folder<File>, place: Place<File>): void {
  const { rows, depth, path, count } = place
  for (const [segment, found] of [...folder.folders].sort(byName)) {
    const [name, inner] = withOnlyFolders(segment, found)
    rows.push({ kind: 'folder', key: `${path}${name}/`, name, depth })
    addRows(inner, { ...place, depth: depth + 1, path: `${path}${name}/` })
  }
  for (const [name, file] of folder.files.sort(byName)) {
    rows.push({ kind: 'file', key: file.path, name, depth, file, index: count.files })
    count.files += 1
  }
}

function withOnlyFolders<File>(name: string, folder: Folder<File>): [string, Folder<File>] {
  if (folder.files.length > 0 || folder.folders.size !== 1) return [name, folder]
  const [inner] = folder.folders
  return withOnlyFolders(`${name}/${inner![0]}`, inner![1])
}
