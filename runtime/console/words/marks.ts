/** Cuts an excerpt at its marks. A mark without its end reaches to the text's end. */
export function toMarks(excerpt: string): { text: string; isFound: boolean }[] {
  return excerpt
    .split('\u0002')
    .flatMap((part, index) => {
      const [found, ...after] = part.split('\u0003')
      return index === 0
        ? [{ text: part.replaceAll('\u0003', ''), isFound: false }]
        : [
            { text: found!, isFound: true },
            { text: after.join(''), isFound: false },
          ]
    })
    .filter(({ text }) => text !== '')
}
