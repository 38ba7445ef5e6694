// Prometheus' text format, read as strictly as its grammar is: for tests alone.
import assert from 'node:assert/strict'

export type Found = { name: string; labels: Record<string, string>; value: number }

const line = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (-?[\d.e+-]+)$/
const label = /^([a-zA-Z_]\w*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)/

/** Fails on a line that is none, a sample without its family's head, a family or a sample that comes twice. */
export function parseMetrics(text: string): Found[] {
  assert.ok(text.endsWith('\n'))
  const families = new Map<string, string>()
  const seen = new Set<string>()
  return text
    .slice(0, -1)
    .split('\n')
    .flatMap((row) => {
      if (row.startsWith('# HELP ')) return []
      const type = /^# TYPE (\S+) (counter|gauge|histogram)$/.exec(row)
      if (type) {
        assert.ok(!families.has(type[1]!), `${type[1]} comes twice`)
        families.set(type[1]!, type[2]!)
        return []
      }
      const [, name, inner, value] = line.exec(row) ?? assert.fail(`no sample: ${row}`)
      const key = row.slice(0, row.lastIndexOf(' '))
      assert.ok(!seen.has(key), `${key} comes twice`)
      seen.add(key)
      assert.ok(families.has(name!) || isOfHistogram(name!, families), `${name} has no head`)
      return [{ name: name!, labels: parseLabels(inner ?? ''), value: Number(value) }]
    })
}

const isOfHistogram = (name: string, families: ReadonlyMap<string, string>) =>
  families.get(name.replace(/_(bucket|sum|count)$/, '')) === 'histogram'

function parseLabels(text: string): Record<string, string> {
  const labels: Record<string, string> = {}
  for (let left = text; left !== ''; ) {
    const [all, name, value] = label.exec(left) ?? assert.fail(`no label: ${left}`)
    labels[name!] = value!
    left = left.slice(all.length)
  }
  return labels
}
