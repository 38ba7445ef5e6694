import { segment, type SubCommand } from '../command.ts'

