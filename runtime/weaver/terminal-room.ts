// The viewers of one terminal. One of them may write: who came first, or who took the place.
import type { TerminalNews, TerminalWriter } from './api.ts'

export type Tell = (news: TerminalNews) => void
export type Seat = {
  writer(): TerminalWriter
  viewers(): number
  /** Become the writer, in whosever place; the others are told. */
  take(): void
  release(): void
  /** The writer's place is free then. Idempotent. */
  leave(): void
}
export type Rooms = { enter(sandbox: string, tell: Tell): Seat }

type Room = { viewers: Set<Tell>; writer: Tell | null }

export function createRooms(): Rooms {
  const rooms = new Map<string, Room>()
  return {
    enter(sandbox, tell) {
      const room = rooms.get(sandbox) ?? { viewers: new Set(), writer: null }
      rooms.set(sandbox, room)
      const seat = sit(room, tell)
      const leave = () => {
        seat.leave()
        if (room.viewers.size === 0 && rooms.get(sandbox) === room) rooms.delete(sandbox)
      }
      return { ...seat, leave }
    },
  }
}

function sit(room: Room, tell: Tell): Seat {
  const seesAs = (viewer: Tell): TerminalWriter => {
    if (room.writer === null) return null
    return room.writer === viewer ? 'you' : 'other'
  }
  const tellAll = (toNews: (viewer: Tell) => TerminalNews) => {
    for (const viewer of room.viewers) viewer(toNews(viewer))
  }
  const setWriter = (writer: Tell | null) => {
    if (room.writer === writer) return
    room.writer = writer
    tellAll((viewer) => ({ type: 'writer', writer: seesAs(viewer) }))
  }
  const tellCount = () => tellAll(() => ({ type: 'viewers', viewers: room.viewers.size }))
  room.viewers.add(tell)
  tellCount()
  return {
    writer: () => seesAs(tell),
    viewers: () => room.viewers.size,
    take: () => setWriter(tell),
    release: () => {
      if (room.writer === tell) setWriter(null)
    },
    leave: () => {
      if (!room.viewers.delete(tell)) return
      tellCount()
      if (room.writer === tell) setWriter(null)
    },
  }
}
