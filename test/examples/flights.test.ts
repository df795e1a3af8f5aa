import { describe, expect, it } from "vitest"
import * as Effect from "effect/Effect"
import { allFlights, fewFlights } from "../../examples/flights/query.ts"
import { differences, expected, type Flight } from "../../scripts/flights/definition.ts"
import { differencesOf, expectedOf, firstOf, plantLate, runOnce, waysOf } from "../../scripts/flights/planted.ts"

const flight = (date: string, delay = 0, origin = "SFO"): Flight => ({
  date,
  delay,
  origin,
  destination: "LAX",
  distance: 337
})

describe("the definition that the flights job is compared with", () => {
  it("T4: a row is late when its window's end is at or before its own partition's watermark", () => {
    const rows = [
      flight("2001/01/01 10:05"),
      flight("2001/01/01 11:30"),
      flight("2001/01/01 10:59"),
      flight("2001/01/01 11:00")
    ]
    const { results, late } = expected([rows, [flight("2001/01/01 10:58", 7)]])
    expect(late.hourly).toEqual([rows[2]])
    // the other partition has a watermark of its own: its row is on time
    expect(results.hourly).toContainEqual({
      origin: "SFO",
      window_start: Date.UTC(2001, 0, 1, 10),
      window_end: Date.UTC(2001, 0, 1, 11),
      flights: 2,
      delay: 7,
      avg_delay: 3.5,
      max_delay: 7
    })
  })

  it("T5: a row late for some of its sliding windows counts in the others", () => {
    // after 14:30 the watermark is 14:00, when the window of 11:00 has closed
    const rows = [flight("2001/01/01 14:30"), flight("2001/01/01 13:10", 5), flight("2001/01/01 11:59")]
    const { results, late, partlyLate } = expected([rows])
    expect(late["three-hours"]).toEqual([rows[2]])
    expect(partlyLate).toBe(1)
    const counts = results["three-hours"].map((row) => row as { window_start: number; flights: number; delay: number })
    expect(
      counts.map(({ window_start, flights, delay }) => [new Date(window_start).getUTCHours(), flights, delay])
    ).toEqual([
      [14, 1, 0],
      [13, 2, 5],
      [12, 2, 5]
    ])
  })

  it("T9: exactly 20 minutes apart stay separate", () => {
    const { results } = expected([[flight("2001/01/01 10:00"), flight("2001/01/01 10:19"), flight("2001/01/01 10:39")]])
    expect(results.bursts).toMatchObject([{ flights: 2 }, { flights: 1 }])
  })

  it("tells multisets apart", () => {
    expect(differences([{ a: 1, b: 2 }, { a: 1 }], [{ a: 1 }, { b: 2, a: 1 }])).toEqual([])
    expect(differences([{ a: 1 }, { a: 1 }], [{ a: 1 }])).toHaveLength(1)
    expect(differences([{ a: 1 }], [{ a: 2 }])).toHaveLength(2)
  })
})

describe("the flights job with late rows planted", () => {
  const slices = [
    { name: "4,000 dense flights (Parquet)", source: allFlights, count: 4_000 },
    { name: "2,000 sparse flights (JSON)", source: fewFlights, count: 2_000 }
  ]
  it.each(slices)(
    "T4, T5, T9, A4: $name give the same in any way they are run, late rows included",
    async ({ source, count }) => {
      const planted = plantLate(await Effect.runPromise(firstOf(source, count)), 11)
      const wanted = await Effect.runPromise(expectedOf(planted))
      for (const rows of [...Object.values(wanted.results), ...Object.values(wanted.late)])
        expect(rows.length).toBeGreaterThan(0)
      expect(wanted.partlyLate).toBeGreaterThan(0)
      const ways = waysOf([1, 7, 1024], [1, 2, 3]).filter((_, i) => i % 4 === 0)
      for (const way of ways)
        expect(differencesOf(await Effect.runPromise(runOnce(planted, way)), wanted), JSON.stringify(way)).toEqual([])
    }
  )
})
