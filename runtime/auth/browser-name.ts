// A browser's name as its owner would say it: words of ours and digits alone, whatever the header holds.

const browsers: readonly [RegExp, string][] = [
  [/Edg(?:e|A|iOS)?\/(\d{1,4})/, 'Edge'],
  [/OPR\/(\d{1,4})/, 'Opera'],
  [/(?:Firefox|FxiOS)\/(\d{1,4})/, 'Firefox'],
  [/(?:Chrome|CriOS)\/(\d{1,4})/, 'Chrome'],
  [/Version\/(\d{1,4})[^)]*Safari\//, 'Safari'],
  [/curl\/(\d{1,4})/, 'curl'],
]

const systems: readonly [RegExp, string][] = [
  [/Windows NT/, 'Windows'],
  [/iPhone|iPad/, 'iOS'],
  [/Mac OS X/, 'macOS'],
  [/Android/, 'Android'],
  [/CrOS/, 'ChromeOS'],
  [/Linux/, 'Linux'],
]

const readMax = 500 // The header can be as long as all headers may be.

/** Such as `Firefox 131, Linux`; null where nothing in it is known. */
export function toBrowserName(userAgent = ''): string | null {
  const text = userAgent.slice(0, readMax)
  const [browser] = browsers.flatMap(([pattern, name]) => {
    const version = pattern.exec(text)?.[1]
    return version ? [`${name} ${version}`] : []
  })
  const system = systems.find(([pattern]) => pattern.test(text))?.[1]
  return [browser, system].filter((part) => part !== undefined).join(', ') || null
}
