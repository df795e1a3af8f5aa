/** `tidemark send`, `tail` and `generate` with an event hub, in processes of their own, against the embedded service. */
import { readFileSync } from "node:fs"
import { Effect } from "effect"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import type { EmbeddedService } from "../../src/connectors/eventhubs/embedded/index.ts"
import { readBySdk, sendTo } from "../eventhubs/hubs.ts"
import { onInput, withHub } from "./hubProgram.ts"
import { type Ended, makeProject, type Project, type Running } from "./program.ts"

let project: Project
beforeAll(() => {
  project = makeProject()
})
afterAll(() => project.remove())

const start = (service: EmbeddedService, ...args: ReadonlyArray<string>): Running =>
  project.startWith({ EVENTHUB_CONNECTION_STRING: service.connectionString() }, ...args)

/** Runs it to its end, on this input. */
const run = (service: EmbeddedService, input: string | Uint8Array, ...args: ReadonlyArray<string>): Promise<Ended> =>
  onInput(project, service.connectionString(), input, ...args)

interface Shown {
  readonly partitionId: string
  readonly sequenceNumber: number
  readonly partitionKey?: string
  readonly enqueuedTime: string
  readonly body?: string
  readonly bodyBase64?: string
}

const shown = ({ stdout }: { readonly stdout: string }): ReadonlyArray<Shown> =>
  stdout
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Shown)

/** What the program itself reads of the hub. */
const contents = async (service: EmbeddedService, ...more: ReadonlyArray<string>): Promise<ReadonlyArray<Shown>> => {
  const ended = await run(service, "", "tail", "eventhubs", "hub", "--from", "earliest", "--once", ...more)
  expect([ended.code, ended.stderr]).toEqual([0, expect.stringContaining("up to what is there now")])
  return shown(ended)
}

describe("tidemark send eventhubs", () => {
  it("sends each line byte for byte and in order; names what is too large, and sends the rest", () =>
    withHub(async (service) => {
      const input = Buffer.concat([
        Buffer.from('one\n{"a": 1}\r\n\n'),
        Buffer.from([0xff, 0xfe, 0x0a]),
        Buffer.from(`${"x".repeat(1_100_000)}\nzwölf`)
      ])
      const { code, stdout, stderr } = await run(service, input, "send", "eventhubs", "hub", "--partition", "1")
      expect(stderr).toBe(
        "tidemark: line 5 is not sent: it has 1,100,000 bytes, and the hub takes 1,048,576 with the protocol's own\n" +
          `tidemark: 5 events (19 bytes) sent to event hub hub at sb://127.0.0.1:${service.port}\n` +
          "tidemark: 1 line not sent\n"
      )
      expect([code, stdout]).toEqual([1, ""])
      const sent = await contents(service)
      expect(sent.map((e) => e.partitionId)).toEqual(["1", "1", "1", "1", "1"])
      expect(sent.map((e) => e.body ?? Buffer.from(e.bodyBase64 ?? "", "base64"))).toEqual([
        "one",
        '{"a": 1}',
        "",
        Buffer.from([0xff, 0xfe]),
        "zwölf"
      ])
    }))

  it("takes partition keys from a field; a line without one is named, and the rest is sent", () =>
    withHub(async (service) => {
      const lines = ['{"k":"a","n":1}', '{"n":2}', '{"k":7,"n":3}', "k", '{"k":null}', '{"k":"a","n":4}', "[1]"]
      const { code, stderr } = await run(service, lines.join("\n"), "send", "eventhubs", "hub", "--key", "k")
      const why = [...stderr.matchAll(/line (\d+) is not sent: ([^(]*) \(--key\)/g)].map(([, n, said]) => [n, said])
      expect(why).toEqual([
        ["2", "it has no field k for its partition key"],
        ["4", "it is not JSON, so that it has no partition key"],
        ["5", "its field k is neither a text nor a number, for its partition key"],
        ["7", "it has no field k for its partition key"]
      ])
      expect(stderr).toContain("tidemark: 3 events (")
      expect(code).toBe(1)
      const stats = service.stats().hubs["hub"] ?? []
      const events = await Effect.runPromise(
        Effect.all(stats.map(({ nextSequence }, i) => readBySdk(service, String(i), nextSequence)))
      )
      const ofKey = (key: string) =>
        events.map((partition) =>
          partition.filter((e) => e.partitionKey === key).map((e) => (e.body as { readonly n: number }).n)
        )
      expect(ofKey("a").filter((numbers) => numbers.length > 0)).toEqual([[1, 4]])
      expect(ofKey("7").filter((numbers) => numbers.length > 0)).toEqual([[3]])
    }))

  it("sends a line at once while its input is open; Ctrl-C sends what was read, and exits 0", () =>
    withHub(async (service) => {
      const running = start(service, "send", "eventhubs", "hub", "--partition", "0")
      running.child.stdin?.write("first\n")
      expect(await Effect.runPromise(readBySdk(service, "0", 1))).toHaveLength(1)
      running.child.stdin?.write("second\nhalf")
      expect(await Effect.runPromise(readBySdk(service, "0", 2))).toHaveLength(2)
      running.kill("SIGINT")
      const { code, stderr } = await running.ended
      expect(stderr).toContain(
        "tidemark: Ctrl-C: sending what was read, but not the 4 bytes of a line that has not ended; once more ends it at once\n"
      )
      expect(stderr).toContain("tidemark: 2 events (11 bytes) sent to")
      expect(code).toBe(0)
    }))

  it("without any input sends nothing, and says so", () =>
    withHub(async (service) => {
      const { code, stderr } = await run(service, "", "send", "eventhubs", "hub")
      expect(stderr).toMatch(/^tidemark: 0 events \(0 bytes\) sent to [^\n]*\n$/)
      expect(code).toBe(0)
    }))
})

describe("tidemark tail eventhubs", () => {
  it("prints lines of JSON that no body can act on a terminal with, and reads back what was sent", () =>
    withHub(async (service) => {
      const hostile = "\u001b[2Jred\u009b31m \u202egnp.exe\u2028 \u007f\r\n\ud83d\ude00 \u{e0041}\ufeff"
      await Effect.runPromise(sendTo(service, "0", [hostile, new Uint8Array([0x1f, 0x8b, 0x08]), ""]))
      const ended = await run(service, "", "tail", "eventhubs", "hub", "--from", "earliest", "--count", "3")
      expect(ended.code).toBe(0)
      expect(ended.stdout.replaceAll("\n", "")).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u)
      const events = shown(ended)
      expect(events.map((e) => e.body ?? e.bodyBase64)).toEqual([hostile, "H4sI", ""])
      expect(events.map((e) => [e.partitionId, e.sequenceNumber])).toEqual([
        ["0", 0],
        ["0", 1],
        ["0", 2]
      ])
      expect(events[1]).not.toHaveProperty("body")
    }))

  it("begins with what comes after its start, in all partitions, until Ctrl-C", () =>
    withHub(async (service) => {
      await Effect.runPromise(sendTo(service, "0", ["old"]))
      const running = start(service, "tail", "eventhubs", "hub")
      await running.said(/consumer group \$Default, until Ctrl-C/)
      await Effect.runPromise(sendTo(service, "0", ["new"]))
      await Effect.runPromise(sendTo(service, "1", ["other"]))
      await running.said(/"new"[^]*"other"|"other"[^]*"new"/)
      running.kill("SIGINT")
      const ended = await running.ended
      expect(new Set(shown(ended).map((e) => e.body))).toEqual(new Set(["new", "other"]))
      expect(ended.stderr).toContain("tidemark: 2 events\n")
      expect(ended.code).toBe(0)
    }))

  it("goes on behind what it has printed when the connection breaks", () =>
    withHub(async (service) => {
      const running = start(service, "tail", "eventhubs", "hub", "--from", "earliest", "--count", "4")
      await Effect.runPromise(sendTo(service, "0", ["a", "b"]))
      await running.said(/"b"/)
      await Effect.runPromise(service.faults.dropConnections())
      await Effect.runPromise(sendTo(service, "0", ["c", "d"]))
      const ended = await running.ended
      expect(shown(ended).map((e) => e.body)).toEqual(["a", "b", "c", "d"])
      expect(ended.code).toBe(0)
    }))

  it("--from, --partition and --once say what is printed; where nothing is left to read, it ends at once", () =>
    withHub(async (service) => {
      await Effect.runPromise(sendTo(service, "0", ["a0", "a1", "a2"]))
      await Effect.runPromise(sendTo(service, "1", ["b0"]))
      const bodies = async (...args: ReadonlyArray<string>) =>
        shown(await run(service, "", "tail", "eventhubs", "hub", "--once", ...args))
          .map((e) => e.body ?? "")
          .toSorted((a, b) => a.localeCompare(b))
      expect(
        await Promise.all([
          bodies("--from", "1"),
          bodies("--from", "1h", "--partition", "1"),
          bodies("--from", "2100-01-01T00:00:00Z"),
          bodies(),
          bodies("--from", "2", "--partition", "0", "--group", "readers")
        ])
      ).toEqual([["a1", "a2"], ["b0"], [], [], ["a2"]])
    }))
})

describe("tidemark generate --to eventhubs:NAME", () => {
  it("sends what it would write to files, partition by partition", () =>
    withHub(async (service) => {
      const args = ["generate", "transactions", "--count", "300", "--poison", "5%", "--seed", "7"]
      const { code, stderr } = await run(service, "", ...args, "--to", "eventhubs:hub")
      expect([code, stderr]).toEqual([
        0,
        expect.stringMatching(/^tidemark: 300 events \([^)]*\) sent to event hub hub/)
      ])
      expect((await project.run(...args, "--partitions", "2", "--out", "files")).code).toBe(0)
      const sent = await contents(service)
      for (const partition of ["0", "1"]) {
        const bodies = sent
          .filter((e) => e.partitionId === partition)
          .map((e) => (e.body === undefined ? Buffer.from(e.bodyBase64 ?? "", "base64") : Buffer.from(e.body)))
        const file = readFileSync(project.path(`files/transactions-${partition}.jsonl`))
        expect(Buffer.concat(bodies.flatMap((body) => [body, Buffer.from("\n")])).equals(file)).toBe(true)
      }
    }))

  it("goes on until Ctrl-C, at its rate; more partitions than the hub has are refused", () =>
    withHub(async (service) => {
      const refused = await run(service, "", "generate", "iot", "--partitions", "3", "--to", "eventhubs:hub")
      expect([refused.code, refused.stderr]).toEqual([
        2,
        `tidemark: --partitions: 3: event hub hub at sb://127.0.0.1:${service.port} has 2 partitions\n`
      ])
      const running = start(service, "generate", "iot", "--rate", "200", "--to", "eventhubs:hub")
      await running.said(/200 events a second to event hub hub at [^ ]*, until Ctrl-C/)
      await Effect.runPromise(readBySdk(service, "1", 20))
      running.kill("SIGINT")
      const { code, stderr } = await running.ended
      const [, said] = /tidemark: (\d+) events \([^)]*\) sent/.exec(stderr) ?? []
      expect(Number(said)).toBe(service.stats().eventsIn)
      expect(code).toBe(0)
    }))
})
