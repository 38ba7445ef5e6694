import { type DestinationStream, type Logger, pino } from 'pino'

export type { Logger }
export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'silent'

// What must never stand in a log, wherever an object carries it.
const secretPaths = ['authorization', 'cookie', 'token', 'key', 'password', 'apiKey']

/** JSON lines, one an event. `name` is the role; a request's id joins lines across roles. */
export const createLog = (level: LogLevel, stream: DestinationStream): Logger =>
  pino(
    {
      level,
      base: {},
      redact: { paths: secretPaths.flatMap((path) => [path, `*.${path}`, `*.*.${path}`]) },
      serializers: { error: pino.stdSerializers.err },
      timestamp: pino.stdTimeFunctions.isoTime,
    },
    stream,
  )
