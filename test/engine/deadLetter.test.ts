import { Effect } from "effect"
import { EventStream, Memory, Query, type SinkError } from "tidemark"
import { describe, expect, it } from "vitest"
import type { DeadLetter } from "../../src/model/DeadLetter.ts"
import { Limits } from "../../src/model/Limits.ts"
import type { Sink } from "../../src/model/Sink.ts"
import { run, runQuery } from "./kit.ts"

const max = Limits.deadLetterBytesMax
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)

/** The dead letter of input of these bytes that did not decode. */
const letterOfInput = async (bytes: Uint8Array, truncated = false): Promise<DeadLetter> => {
  const input = Memory.channel<unknown>({ bounded: true })
  return run(
    Effect.gen(function* () {
      yield* input.pushDead("0", { reason: "malformed", detail: "?", place: "0:1", bytes, truncated })
      yield* input.end("0")
      yield* runQuery(EventStream.from(input.source).pipe(EventStream.to(Memory.sink())))
      return (yield* Query.deadLetters("q"))[0] as DeadLetter
    })
  )
}

/** The dead letter of a row that an operator gives up on, and of the same row when the sink refuses it. */
const lettersOfRow = async (row: unknown): Promise<ReadonlyArray<DeadLetter>> => {
  const memory = Memory.sink<unknown>()
  const refuses: Sink<unknown, "append", SinkError> = {
    ...memory,
    writer: (context) =>
      Effect.map(memory.writer({ ...context, mode: "append" }), (writer) => ({
        ...writer,
        write: ({ rows }) =>
          Effect.succeed(
            rows.map((_, before) => ({
              before,
              reason: "sink" as const,
              detail: "no",
              place: "here",
              bytes: new Uint8Array(),
              truncated: false
            }))
          )
      }))
  }
  const letters = (pipeline: Parameters<typeof runQuery>[0]): Promise<DeadLetter> =>
    run(
      Effect.gen(function* () {
        yield* runQuery(pipeline)
        return (yield* Query.deadLetters("q"))[0] as DeadLetter
      })
    )
  const rows = EventStream.from(Memory.source([row]))
  return [
    await letters(
      rows.pipe(
        EventStream.mapEffect(() => Effect.fail("no"), { onError: "deadLetter" }),
        EventStream.to(Memory.sink())
      )
    ),
    await letters(rows.pipe(EventStream.to(refuses)))
  ]
}

describe("a dead letter keeps the bytes of the input", () => {
  it("all of them: a byte order mark too", async () => {
    expect(await letterOfInput(utf8("\ufeff{"))).toMatchObject({ text: "\ufeff{", truncated: false })
  })

  it("in base64 where they are not UTF-8", async () => {
    const letter = await letterOfInput(Uint8Array.of(0x7b, 0xff, 0xc3))
    expect(letter).toMatchObject({ base64: "e//D", truncated: false })
    expect(letter.text).toBeUndefined()
  })

  it("as text when the cut goes through a character: that one is left out", async () => {
    for (const character of ["é", "€", "😀"]) {
      const whole = utf8(`{${character}`)
      for (let n = 1; n < whole.length; n++) {
        expect(await letterOfInput(whole.subarray(0, n), true)).toMatchObject({ text: "{", truncated: true })
      }
      expect(await letterOfInput(whole, true)).toMatchObject({ text: `{${character}`, truncated: true })
      // Nothing was cut: these bytes are the input's own fault.
      expect((await letterOfInput(whole.subarray(0, -1))).base64).toBeDefined()
    }
  })

  it("and no more than the limit, whatever the source hands over", async () => {
    expect(await letterOfInput(utf8("a".repeat(max)))).toMatchObject({ text: "a".repeat(max), truncated: false })
    expect(await letterOfInput(utf8(`${"a".repeat(max - 1)}é`))).toMatchObject({
      text: "a".repeat(max - 1),
      truncated: true
    })
    const binary = await letterOfInput(new Uint8Array(max + 1).fill(0xff))
    expect(Buffer.from(binary.base64 ?? "", "base64").length).toBe(max)
    expect(binary.truncated).toBe(true)
  })
})

describe("a dead letter of a row", () => {
  it("keeps it as JSON, with all digits of a bigint", async () => {
    for (const letter of await lettersOfRow({ a: "é", n: 9_007_199_254_740_993n })) {
      expect(letter).toMatchObject({ text: '{"a":"é","n":"9007199254740993"}', truncated: false })
    }
  })

  it("up to the limit in bytes, not characters, and never half a character", async () => {
    for (const [character, size] of [
      ["a", 1],
      ["é", 2],
      ["€", 3],
      ["😀", 4]
    ] as const) {
      const fits = Math.floor((max - 2) / size)
      for (const letter of await lettersOfRow(character.repeat(fits))) {
        expect(letter).toMatchObject({ text: `"${character.repeat(fits)}"`, truncated: false })
      }
      for (const letter of await lettersOfRow(character.repeat(max))) {
        const kept = Math.floor((max - 1) / size)
        expect(letter).toMatchObject({ text: `"${character.repeat(kept)}`, truncated: true })
      }
    }
  })
})
