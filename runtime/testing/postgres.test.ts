import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Client } from 'pg'
import { startPostgres } from './postgres.ts'

test('a server that was killed comes back with its data', async () => {
  await using postgres = await startPostgres()
  await postgres.query('create table kept (word text)')
  await postgres.query("insert into kept values ('here')")
  await postgres.kill()
  await postgres.start()
  assert.deepEqual(await postgres.query('select word from kept'), [{ word: 'here' }])
})

test('a role cannot read the schema of another', async () => {
  await using postgres = await startPostgres()
  const spool = new Client(postgres.url('spool'))
  await spool.connect()
  await spool.query('create table spool.own (word text)')
  const auth = new Client(postgres.url('auth'))
  await auth.connect()
  await assert.rejects(auth.query('select * from spool.own'), /permission denied/)
  await Promise.all([spool.end(), auth.end()])
})
