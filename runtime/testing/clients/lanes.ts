// Which lane of the proxy the requests of real clients took.
import { parseMetrics } from '../../proxy/observe/testing.ts'
import type { Stage } from '../../proxy/testing/stage.ts'

/** Of all requests on the model routes so far, as the metrics tell it. */
export async function readFastShare(stage: Pick<Stage, 'admin'>) {
  const metrics = parseMetrics(await (await stage.admin('GET', '/api/metrics')).text())
  const counts = metrics.filter(({ name }) => name === 'treadle_proxy_requests_total')
  const countOf = (lane: string) => counts.find(({ labels }) => labels['lane'] === lane)!.value
  const [fast, general] = [countOf('fast'), countOf('general')]
  return { requests: fast + general, share: fast / (fast + general) }
}
