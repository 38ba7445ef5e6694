// `node main.ts NAME FOLDER`: makes a demo task's repository in a folder that is not there yet, and prints its loop as
// JSON. For programs that must not import this room.
import { createDemoTask, type DemoName, demoNames, toDemoLoop } from './demo.ts'

const [name, folder] = process.argv.slice(2)
if (!folder || !demoNames.includes(name as DemoName)) {
  process.stderr.write(`Usage: main.ts ${demoNames.join('|')} FOLDER\n`)
  process.exitCode = 2
} else {
  await createDemoTask(name as DemoName, folder)
  process.stdout.write(`${JSON.stringify(toDemoLoop(name as DemoName, folder))}\n`)
}
