import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { Effect, Fiber } from "effect"
import { describe, expect, it } from "vitest"
import { type Edge, edgeBalances, Inbox } from "../../src/actors/Edge.ts"
import type { Message, Sized } from "../../src/actors/Message.ts"
import { OutEdge } from "../../src/actors/OutEdge.ts"
import { Task } from "../../src/actors/Task.ts"
import { Alignment } from "../../src/actors/Alignment.ts"
import { Limits } from "../../src/model/Limits.ts"
import { settle } from "./kit.ts"

const data = (length: number, bytes = 10, watermark?: number): Message<Sized> => ({
  tag: "data",
  payload: { length, bytes },
  watermark
})
const barrier: Message<Sized> = { tag: "barrier", epoch: 1 }

const oneEdge = (): { inbox: Inbox; edge: Edge } => {
  const inbox = new Inbox()
  return { inbox, edge: inbox.add("a -> b") }
}

const tags = (inbox: Inbox): ReadonlyArray<string> => {
  const read: Array<string> = []
  for (let edge = inbox.ready(); edge !== undefined; edge = inbox.ready()) {
    read.push(`${edge.name} ${(edge.poll() as Message<Sized>).tag}`)
  }
  return read
}

describe("Edge: a bounded queue", () => {
  it("holds at most its number of messages, control messages too, and says who it refused", () => {
    const { edge } = oneEdge()
    for (let i = 0; i < Limits.edgeChunksMax; i++) expect(edge.tryOffer(i % 2 === 0 ? data(1) : barrier)).toBe(true)
    expect(edge.tryOffer(barrier)).toBe(false)
    expect(edge.tryOffer(data(1))).toBe(false)
    expect(edge.length).toBe(Limits.edgeChunksMax)
    expect(edge.peak).toBe(Limits.edgeChunksMax)
    edge.poll()
    expect(edge.tryOffer(data(1))).toBe(true)
  })

  it("holds at most its bytes, but takes one message of any size when it is empty", () => {
    const { edge } = oneEdge()
    expect(edge.tryOffer(data(1, Limits.edgeBytesMax * 3))).toBe(true)
    expect(edge.tryOffer(data(1, 1))).toBe(false)
    edge.poll()
    expect(edge.tryOffer(data(1, Limits.edgeBytesMax - 5))).toBe(true)
    expect(edge.tryOffer(data(1, 5))).toBe(true)
    expect(edge.tryOffer(data(1, 1))).toBe(false)
    expect(edge.tryOffer(barrier)).toBe(true)
  })

  it("gives back what came, in order, over and over", () => {
    const { edge } = oneEdge()
    edge.tryOffer(data(0))
    for (let i = 1; i < 1000; i++) {
      edge.tryOffer(data(i))
      // never empty: one stays
      expect((edge.poll() as { payload: Sized }).payload.length).toBe(i - 1)
    }
    expect(edge.length).toBe(1)
  })

  it("keeps nothing that it has given, even when it is never empty", async () => {
    setFlagsFromString("--expose-gc")
    const collect = runInNewContext("gc") as () => void
    const { edge } = oneEdge()
    const give = (): WeakRef<Message<Sized>> => {
      const first = data(1)
      edge.tryOffer(first)
      edge.tryOffer(data(2))
      edge.poll()
      return new WeakRef(first)
    }
    const given = give()
    await new Promise((resolve) => setTimeout(resolve, 1))
    collect()
    expect(edge.length).toBe(1)
    expect(given.deref()).toBeUndefined()
  })

  it("makes its sender wait for room, and wakes it by each take", () =>
    Effect.runPromise(
      Effect.gen(function* () {
        const { edge } = oneEdge()
        const sender = yield* Effect.forkChild(
          Effect.forEach(
            Array.from({ length: 20 }, (_, i) => data(i)),
            (m) => edge.offer(m)
          )
        )
        yield* settle(5)
        expect(edge.length).toBe(Limits.edgeChunksMax)
        expect(sender.pollUnsafe()).toBeUndefined()
        const read: Array<number> = []
        for (let i = 0; i < 20; i++) {
          read.push((edge.poll() as { payload: Sized }).payload.length)
          yield* settle(2)
        }
        yield* Fiber.join(sender)
        expect(read).toEqual(Array.from({ length: 20 }, (_, i) => i))
        expect(edge.peak).toBe(Limits.edgeChunksMax)
      })
    ))

  it("forgets a sender that was interrupted while it waited", () =>
    Effect.runPromise(
      Effect.gen(function* () {
        const { edge } = oneEdge()
        for (let i = 0; i < Limits.edgeChunksMax; i++) edge.tryOffer(data(i))
        const sender = yield* Effect.forkChild(edge.offer(data(99)))
        yield* settle(3)
        yield* Fiber.interrupt(sender)
        edge.poll()
        yield* settle(3)
        expect(edge.length).toBe(Limits.edgeChunksMax - 1)
        expect(edge.sent).toBe((Limits.edgeChunksMax * (Limits.edgeChunksMax - 1)) / 2)
      })
    ))

  it("L3: counts rows as they go in and as they come out, and notes what went in before the barrier", () => {
    const { inbox, edge } = oneEdge()
    edge.tryOffer(data(3))
    edge.tryOffer(data(4))
    edge.tryOffer(barrier)
    edge.tryOffer(data(5))
    expect([edge.sent, edge.received, edge.sentBeforeBarrier]).toEqual([12, 0, 7])
    for (let i = 0; i < 3; i++) edge.poll()
    expect(edgeBalances(inbox)).toEqual([{ edge: "a -> b", sent: 7, received: 7 }])
  })
})

describe("Inbox: the edges of one receiver", () => {
  it("is read in turn: a busy edge does not keep the others waiting", () => {
    const inbox = new Inbox()
    const edges = ["a", "b", "c"].map((name) => inbox.add(name))
    for (let i = 0; i < 4; i++) edges[0].tryOffer(data(1))
    edges[1].tryOffer(data(1))
    edges[2].tryOffer(barrier)
    expect(tags(inbox)).toEqual(["a data", "b data", "c barrier", "a data", "a data", "a data"])
  })

  it("does not read an edge that is held, until it is released", () => {
    const inbox = new Inbox()
    const [a, b] = [inbox.add("a"), inbox.add("b")]
    a.held = true
    a.tryOffer(data(1))
    b.tryOffer(data(1))
    expect(tags(inbox)).toEqual(["b data"])
    inbox.release(a)
    expect(tags(inbox)).toEqual(["a data"])
  })

  it("wakes its receiver: whether it waits already, or is about to; not for an edge that is held", () =>
    Effect.runPromise(
      Effect.gen(function* () {
        const inbox = new Inbox()
        const [a, b] = [inbox.add("a"), inbox.add("b")]
        a.tryOffer(data(1))
        // It came before the wait.
        yield* inbox.wait
        a.poll()
        const receiver = yield* Effect.forkChild(inbox.wait)
        yield* settle(3)
        b.held = true
        b.tryOffer(data(1))
        yield* settle(3)
        expect(receiver.pollUnsafe()).toBeUndefined()
        inbox.release(b)
        yield* Fiber.join(receiver)
      })
    ))
})

describe("C1: alignment of barriers and watermarks", () => {
  const aligned = (): { inbox: Inbox; a: Edge; b: Edge; alignment: Alignment } => {
    const inbox = new Inbox()
    return { inbox, a: inbox.add("a"), b: inbox.add("b"), alignment: new Alignment(inbox) }
  }

  it("T3: the watermark is the minimum of the edges; one that has not spoken holds it", () => {
    const { a, b, alignment } = aligned()
    expect(alignment.watermark(a, 10)).toBe(-Infinity)
    expect(alignment.watermark(b, 5)).toBe(5)
    expect(alignment.watermark(b, 20)).toBe(10)
    // It never goes back.
    expect(alignment.watermark(a, 3)).toBe(10)
  })

  it("T11: an edge that has ended holds nothing any more; the last end is noticed once all have", () => {
    const { a, b, alignment } = aligned()
    alignment.watermark(a, 10)
    expect(alignment.watermark(b, Infinity)).toBe(10)
    expect(alignment.end(b)).toBe(false)
    expect(alignment.end(b)).toBe(false)
    expect(alignment.watermark(a, Infinity)).toBe(Infinity)
    expect(alignment.end(a)).toBe(true)
    expect(alignment.highest).toBe(10)
  })

  it("T12: an edge that is added later holds the watermark until it speaks", () => {
    const { inbox, a, b, alignment } = aligned()
    alignment.watermark(a, 10)
    alignment.watermark(b, 10)
    const c = inbox.add("c")
    expect(alignment.watermark(a, 30)).toBe(-Infinity)
    expect(alignment.watermark(c, 10)).toBe(10)
  })

  it("an edge is held from its barrier until all have brought theirs; what is behind it waits", () => {
    const { inbox, a, b, alignment } = aligned()
    a.tryOffer(barrier)
    a.tryOffer(data(7))
    b.tryOffer(data(1))
    expect(inbox.ready()).toBe(a)
    a.poll()
    expect(alignment.barrier(a)).toBe(false)
    expect(tags(inbox)).toEqual(["b data"])
    b.tryOffer(barrier)
    inbox.ready()
    b.poll()
    expect(alignment.barrier(b)).toBe(true)
    expect(a.received).toBe(0)
    alignment.release()
    expect(tags(inbox)).toEqual(["a data"])
  })
})

describe("T13: rows, watermarks and barriers keep their order on the way out", () => {
  /** A task with one edge that follows these watermarks; `sent` flushes, and reads what came out of the other end. */
  const sender = (...follows: ReadonlyArray<{ watermark: number }>) => {
    const inbox = new Inbox()
    const out = new OutEdge(inbox.add("a"))
    const task = new Task("q", "t", { source: () => "s", partition: () => "p", failed: () => undefined })
    task.out.push(out)
    for (const source of follows) out.follow(source)
    const sent = async (): Promise<ReadonlyArray<string>> => {
      await Effect.runPromise(task.flush)
      const read: Array<string> = []
      for (let m = out.edge.poll(); m !== undefined; m = out.edge.poll()) {
        if (m.tag === "data")
          read.push(`${m.payload.length} rows${m.watermark === undefined ? "" : `, then ${m.watermark}`}`)
        else read.push(m.tag === "watermark" ? `watermark ${m.watermark}` : m.tag)
      }
      return read
    }
    return { out, task, sent }
  }
  const rows = (length: number): Sized => ({ length, bytes: 1 })

  it("a watermark goes with the last rows of its step, never before them", async () => {
    const source = { watermark: -Infinity }
    const { out, sent } = sender(source)
    out.stage(rows(1))
    expect(await sent()).toEqual(["1 rows"])
    out.stage(rows(1))
    out.stage(rows(2))
    source.watermark = 5
    expect(await sent()).toEqual(["1 rows", "2 rows, then 5"])
    expect(await sent()).toEqual([])
  })

  it("without rows it goes alone, once; the minimum of what the edge follows, never back", async () => {
    const [x, y] = [{ watermark: 3 }, { watermark: -Infinity }]
    const { sent } = sender(x, y)
    expect(await sent()).toEqual([])
    y.watermark = 1
    expect(await sent()).toEqual(["watermark 1"])
    expect(await sent()).toEqual([])
    y.watermark = 0
    expect(await sent()).toEqual([])
    y.watermark = 9
    expect(await sent()).toEqual(["watermark 3"])
  })

  it("a step that is larger than the edge waits in the middle, and keeps its order", () =>
    Effect.runPromise(
      Effect.gen(function* () {
        const source = { watermark: 7 }
        const { out, task } = sender(source)
        for (let i = 1; i <= 20; i++) out.stage(rows(i))
        const flushing = yield* Effect.forkChild(task.flush)
        const read: Array<number> = []
        while (read.length < 20) {
          yield* settle(1)
          const m = out.edge.poll()
          if (m?.tag === "data") read.push(m.payload.length)
        }
        yield* Fiber.join(flushing)
        expect(read).toEqual(Array.from({ length: 20 }, (_, i) => i + 1))
      })
    ))
})
