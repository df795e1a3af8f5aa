/**
 * The laws of `EventStream.process`, against plain code: fed by one partition, what it does with a key is a function of
 * that partition, whatever the chunks, the instances, and the restarts.
 */
import * as fc from "fast-check"
import { describe, it, expect } from "vitest"
import { Instances, row, type Row } from "../test/process/kit.ts"
import { byKey, expected, processJobs, streamOf } from "./processJobs.ts"

const cuts = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 20 })

/** The chunks of `rows`: as many rows as `sizes` say, over and over. */
const chunksOf = (rows: ReadonlyArray<Row>, sizes: ReadonlyArray<number>): ReadonlyArray<ReadonlyArray<Row>> => {
  const chunks: Array<ReadonlyArray<Row>> = []
  for (let at = 0, i = 0; at < rows.length; i++) {
    const size = sizes[i % sizes.length]
    chunks.push(rows.slice(at, at + size))
    at += size
  }
  return chunks
}

describe("process, fed by one partition", () => {
  it("equals plain code, whatever the chunks and the number of instances", async () => {
    await fc.assert(
      fc.asyncProperty(processJobs, cuts, fc.integer({ min: 1, max: 3 }), async (job, sizes, instances) => {
        const op = await Instances.make(streamOf(job), { instances })
        for (const chunk of chunksOf(job.rows, sizes)) op.rows(chunk)
        op.end()
        expect(byKey(op.results)).toEqual(expected(job))
        expect(op.counters.in).toBe(job.rows.length)
        expect(op.counters.forwarded + op.counters.late).toBe(job.rows.length)
      }),
      { numRuns: 400 }
    )
  })

  it("C1, C11: restarts at any point, at any width, from snapshots made late, change nothing", async () => {
    const widths = fc.array(fc.option(fc.integer({ min: 1, max: 4 })), { minLength: 1, maxLength: 20 })
    await fc.assert(
      fc.asyncProperty(processJobs, cuts, widths, async (job, sizes, restarts) => {
        let op = await Instances.make(streamOf(job))
        const all: Array<unknown> = []
        for (const [i, chunk] of chunksOf(job.rows, sizes).entries()) {
          op.rows(chunk)
          const instances = restarts[i % restarts.length]
          if (instances === null) continue
          all.push(...op.results)
          const made = op.snapshot()
          // What the attempt does after the barrier is lost with it, and is not in the snapshot.
          op.rows([row("a", 500, 0), row("b", 500, 1), row("c", 500, 2)])
          op = await op.restarted(made, instances)
        }
        op.end()
        expect(byKey([...all, ...op.results])).toEqual(expected(job))
      }),
      { numRuns: 300 }
    )
  })

  it("W_op frees all that nobody can see: no key without timers outlives its ttl", async () => {
    await fc.assert(
      fc.asyncProperty(processJobs, cuts, async (job, sizes) => {
        const op = await Instances.make(streamOf(job))
        for (const chunk of chunksOf(job.rows, sizes)) op.rows(chunk)
        op.watermark(10_000)
        expect([op.operators[0].keys(), op.operators[0].bytes()]).toEqual([0, 0])
      }),
      { numRuns: 100 }
    )
  })
})
