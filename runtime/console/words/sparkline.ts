/** Points of an SVG polyline over a box: the values from left to right, the largest at the top, zero at the bottom. */
export function toPoints(values: readonly number[], width: number, height: number): string {
  const most = Math.max(...values, 0) || 1
  const step = values.length > 1 ? width / (values.length - 1) : 0
  return values
    .map((value, index) => {
      const down = height - (Math.max(0, value) / most) * height
      return `${round(index * step)},${round(down)}`
    })
    .join(' ')
}
const round = (value: number) => Math.round(value * 10) / 10

/** Each value with all before it. */
export function addUp(values: readonly number[]): number[] {
  let sum = 0
  return values.map((value) => {
    sum += value
    return sum
  })
}
