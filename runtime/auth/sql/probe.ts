import { sql } from 'slonik'
import { z } from 'zod'

/** Answers where the database does. */
export const probe = () => sql.type(z.object({ one: z.number() }))`select 1 as one`
