// What may stand in a label. A label's values live as long as the process, and Prometheus keeps a series for each of
// them: so only so many, none of odd signs, and never a client's own text.

export const other = 'other'
const plain = /^[\w.:/@~-]{1,80}$/

/** Answers the value while there is room for another one, and `other` from then on. */
export function createLabelCap(valuesMax: number): (value: string, isProven: boolean) => string {
  const known = new Set<string>()
  return (value, isProven) => {
    if (known.has(value)) return value
    if (!isProven || known.size >= valuesMax || !plain.test(value)) return other
    known.add(value)
    return value
  }
}
