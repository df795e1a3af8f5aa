import { Effect } from "effect"
import * as fc from "fast-check"
import { afterEach, describe, expect, it } from "vitest"
import { Edge } from "../src/actors/Edge.ts"
import type { Message, Sized } from "../src/actors/Message.ts"
import { imbalances } from "../src/model/Ledger.ts"
import { Limits } from "../src/model/Limits.ts"
import { countsOf, runJob } from "../test/engine/run.ts"
import { multiset } from "../test/oracle/Job.ts"
import { evaluate } from "../test/oracle/Oracle.ts"
import { job, manners, runs } from "./engineJobs.ts"

const cases = job.chain((j) => manners(j).map((how) => ({ job: j, how })))

const honest = Reflect.get(Edge.prototype, "tryOffer")
const tap = (tryOffer: Edge["tryOffer"]): void => {
  Reflect.set(Edge.prototype, "tryOffer", tryOffer)
}

afterEach(() => tap(honest))

describe("A4: results are a function of what each partition contains", () => {
  it("whatever the chunks, the parallelism, the speeds and the order of fibers: the oracle's", async () => {
    await fc.assert(
      fc.asyncProperty(cases, async ({ job, how }) => {
        const wanted = evaluate(job)
        let dead: ReadonlyArray<string> | undefined
        for (const manner of how) {
          const run = await Effect.runPromise(runJob(job, manner))
          expect(multiset(run.results)).toEqual(multiset(wanted.results))
          expect(multiset(run.late)).toEqual(multiset(wanted.late))
          expect(multiset(run.dedupeLate)).toEqual(multiset(wanted.dedupeLate))
          expect(countsOf(job, run.ledger)).toEqual(wanted.counts)
          expect(imbalances(run.ledger)).toEqual([])
          expect(run.peak).toBeLessThanOrEqual(Limits.edgeChunksMax)
          dead ??= run.dead.toSorted()
          expect(run.dead.toSorted()).toEqual(dead)
        }
      }),
      { numRuns: runs(500) }
    )
  })
})

interface Seen {
  readonly watermark: number
  readonly epoch: number
  readonly ended: boolean
  readonly wrong: string | undefined
}

/** What is wrong about one more message of an edge, if anything. */
const judge = (seen: Seen, m: Message<Sized>): string | undefined => {
  switch (m.tag) {
    case "watermark":
      return m.watermark > seen.watermark ? undefined : `watermark ${m.watermark} after ${seen.watermark}`
    case "barrier":
      return m.epoch > seen.epoch ? undefined : `barrier ${m.epoch} after ${seen.epoch}`
    case "end":
      return seen.ended ? "a second end" : undefined
    case "data": {
      if (seen.ended) return "rows after the end"
      const { watermarks } = m.payload as { readonly watermarks?: Float64Array }
      // A batch's columns may be longer than it: they are used again.
      const early = watermarks?.subarray(0, m.payload.length).find((w) => w < seen.watermark)
      if (early !== undefined) return `a row with W_p ${early} after the watermark ${seen.watermark}`
      return m.watermark === undefined || m.watermark > seen.watermark ? undefined : `${m.watermark} with rows`
    }
    default:
      return undefined
  }
}

const after = (seen: Seen, m: Message<Sized>): Seen => ({
  watermark: (m.tag === "watermark" || m.tag === "data" ? m.watermark : undefined) ?? seen.watermark,
  epoch: m.tag === "barrier" ? m.epoch : seen.epoch,
  ended: seen.ended || m.tag === "end",
  wrong: seen.wrong ?? judge(seen, m)
})

describe("T2, T3, T13, C1: on every edge, at every moment", () => {
  it("watermarks rise, no row has a W_p below one that was sent before it, barriers count up, nothing follows an end", async () => {
    const edges = new Map<Edge, Seen>()
    tap(function (this: Edge, message) {
      if (this.name === "control" || this.name === "pulled") return honest.call(this, message)
      const seen = edges.get(this) ?? { watermark: -Infinity, epoch: 0, ended: false, wrong: undefined }
      // Noted first: taking it may let the sender go on, and send the next, before it returns.
      edges.set(this, after(seen, message))
      const taken = honest.call(this, message)
      if (!taken) edges.set(this, seen)
      return taken
    })
    await fc.assert(
      fc.asyncProperty(cases, async ({ job, how }) => {
        edges.clear()
        for (const manner of how.slice(0, 2)) await Effect.runPromise(runJob(job, { ...manner, epochMs: 1 }))
        for (const [edge, seen] of edges) expect(seen.wrong, edge.name).toBeUndefined()
        expect(edges.size).toBeGreaterThan(0)
      }),
      { numRuns: runs(200) }
    )
  })
})
