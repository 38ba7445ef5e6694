import {
  createPool,
  createTypeParserPreset,
  type DatabasePool,
  type Interceptor,
  type QueryResultRow,
  SchemaValidationError,
} from 'slonik'

/** A pool for one role. Rows are checked by the schema of their statement; times are epoch ms, int8 is a number. */
export const openDatabase = (url: string): Promise<DatabasePool> =>
  createPool(url, {
    interceptors: [checkRows],
    typeParsers: [
      ...createTypeParserPreset(),
      { name: 'int8', parse: (text) => Number(text) }, // BigInt has no JSON; our counts stay far under 2^53.
      { name: 'numeric', parse: (text) => Number(text) },
    ],
    maximumPoolSize: 10,
    connectionTimeout: 5_000, // A dead database is told to the caller, not waited for.
    idleTimeout: 30_000,
    statementTimeout: 30_000,
    connectionRetryLimit: 3,
  })

const checkRows: Interceptor = {
  name: 'check-rows',
  transformRowAsync: async (context, query, row) => {
    const { resultParser } = context
    if (!resultParser) return row
    const result = await resultParser['~standard'].validate(row)
    if (result.issues) throw new SchemaValidationError(query, row as never, result.issues as never)
    return result.value as QueryResultRow
  },
}
