// The calls that gateways are compared by, and what is promised of them.
import { toSessionBody, toSmallBody } from './requests.ts'
import type { LoadResult } from './run-load.ts'

const largeBytes = 256 * 1_024

/** `targets` are of nginx's CPU; null = measured, not promised. */
export const workloads = {
  '1 KB, 1 connection': {
    connections: 1,
    clients: 'connection',
    requestsMax: 4_000,
    toBody: (model: string) => toSmallBody({ model }),
    targets: { plain: null, tls: null },
  },
  '1 KB, 32 connections': {
    connections: 32,
    clients: 'connection',
    requestsMax: 4_000,
    toBody: (model: string) => toSmallBody({ model }),
    targets: { plain: 2.5, tls: 2.5 },
  },
  '1 KB, 32 connections, all clients in turn': {
    connections: 32,
    clients: 'call',
    requestsMax: 4_000,
    toBody: (model: string) => toSmallBody({ model }),
    targets: { plain: null, tls: null },
  },
  '256 KB request, 8 connections': {
    connections: 8,
    clients: 'connection',
    requestsMax: 640, // With those before: of what waits for threads, 256 MiB are kept.
    toBody: (model: string) => toSessionBody(largeBytes, model),
    targets: { plain: 2.5, tls: 2.5 },
  },
  '256 KB request, 8 connections, all clients in turn': {
    connections: 8,
    clients: 'call', // None goes on from a conversation that is remembered.
    requestsMax: 800,
    toBody: (model: string) => toSessionBody(largeBytes, model),
    targets: { plain: null, tls: null },
  },
  'stream of 200 events, 32 connections': {
    connections: 32,
    clients: 'connection',
    requestsMax: 4_000,
    toBody: (model: string) => toSmallBody({ model, stream: true }),
    targets: { plain: 1.3, tls: 1.5 },
  },
} as const
export type WorkloadName = keyof typeof workloads
export const workloadNames = Object.keys(workloads) as WorkloadName[]

export type Sample = {
  load: LoadResult
  /** Of the gateway while the load ran, a call. */
  cpuMs: number
  /** Of what works for it, a call: Treadle's PostgreSQL, and its other roles where those have a process of their own. */
  besideCpuMs: number
  /** The same until it is quiet again: null where nothing is left to do. */
  settled: { cpuMs: number; besideCpuMs: number; seconds: number } | null
  memoryMb: number
}
export type Samples = Map<string, Map<WorkloadName, Sample[]>>
