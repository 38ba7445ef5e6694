// Prometheus' text format, version 0.0.4. https://prometheus.io/docs/instrumenting/exposition_formats/

export type Labels = Readonly<Record<string, string>>
export type Sample = { labels: Labels; value: number }
export type Family = { name: string; help: string } & (
  | { type: 'counter' | 'gauge'; samples: readonly Sample[] }
  | { type: 'histogram'; samples: readonly { labels: Labels; histogram: Counted }[] }
)

type Bounds = readonly number[]
/** What a histogram comes to, also where it came from another process. */
export type Counted = {
  bounds: Bounds
  counts: ArrayLike<number>
  sum: number
  count: number
}

/** Counts by upper bound. An observation costs a walk over some fifteen numbers and allocates nothing. */
export class Histogram {
  readonly bounds: Bounds
  readonly counts: number[]
  sum = 0
  count = 0

  constructor(bounds: Bounds) {
    this.bounds = bounds
    this.counts = bounds.map(() => 0)
  }

  observe(value: number): void {
    this.sum += value
    this.count += 1
    const { bounds } = this
    for (let index = 0; index < bounds.length; index += 1) {
      if (value > bounds[index]!) continue
      this.counts[index]! += 1
      return
    }
  }
}

/** Families without a sample are left out. */
export const toText = (families: readonly Family[]): string =>
  families
    .filter(({ samples }) => samples.length > 0)
    .map(toFamilyText)
    .join('')

function toFamilyText(family: Family): string {
  const { name, help, type } = family
  const lines =
    family.type === 'histogram'
      ? family.samples.flatMap(({ labels, histogram }) => toBuckets(name, labels, histogram))
      : family.samples.map(({ labels, value }) => toLine(name, labels, value))
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join('\n')}\n`
}

function toBuckets(name: string, labels: Labels, { bounds, counts, sum, count }: Counted) {
  let below = 0
  const buckets = bounds.map((bound, index) => {
    below += counts[index]!
    return toLine(`${name}_bucket`, { ...labels, le: String(bound) }, below)
  })
  return [
    ...buckets,
    toLine(`${name}_bucket`, { ...labels, le: '+Inf' }, count),
    toLine(`${name}_sum`, labels, sum),
    toLine(`${name}_count`, labels, count),
  ]
}

function toLine(name: string, labels: Labels, value: number): string {
  const inner = Object.entries(labels).map(([label, text]) => `${label}="${toQuoted(text)}"`)
  return `${name}${inner.length > 0 ? `{${inner.join(',')}}` : ''} ${value}`
}

const toQuoted = (text: string) =>
  text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
