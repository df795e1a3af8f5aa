/** Logs as JSON: a line a record, our names on top, secrets never. */
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as Redacted from "effect/Redacted"
import { describe, expect, it } from "vitest"
import { LogNames } from "../../src/actors/LogNames.ts"
import { jsonLogger, logLine } from "../../src/monitor/JsonLog.ts"
import { withoutSecrets } from "../../src/monitor/secrets.ts"

const logged = async (effect: Effect.Effect<unknown>): Promise<ReadonlyArray<Record<string, unknown>>> => {
  const lines: Array<string> = []
  const loggers = new Set([jsonLogger((line) => lines.push(line))])
  await Effect.runPromise(Effect.provideService(effect, Logger.CurrentLoggers, loggers))
  expect(lines.filter((line) => line.includes("\n"))).toEqual([])
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>)
}

describe("logs as JSON", () => {
  it("have time, level, message, and query, run, attempt, epoch and partition where they are known", async () => {
    const annotations = {
      [LogNames.query]: "by-category",
      [LogNames.run]: "r1",
      [LogNames.attempt]: 2,
      [LogNames.epoch]: 31,
      [LogNames.partition]: "0",
      mine: "yes"
    }
    const [line] = await logged(Effect.annotateLogs(Effect.logWarning("checkpoint", "given up"), annotations))
    const { time, ...rest } = line
    expect(new Date(String(time)).toISOString()).toBe(time)
    expect(rest).toEqual({
      level: "warn",
      message: "checkpoint given up",
      query: "by-category",
      run: "r1",
      attempt: 2,
      epoch: 31,
      partition: "0",
      annotations: { mine: "yes" }
    })
  })

  it("are one line each whatever the text, and carry the cause of a failure with its stack", async () => {
    const [broken, failed] = await logged(
      Effect.andThen(
        Effect.logInfo('line\nends "and" \u001b[31m quotes'),
        Effect.catchCause(Effect.die(new Error("boom")), (cause) => Effect.logError("died", cause))
      )
    )
    expect(broken["message"]).toBe('line\nends "and" \u001b[31m quotes')
    expect(failed).toMatchObject({ level: "error", message: "died", cause: expect.stringContaining("Error: boom") })
  })

  it("never fail what they report on", async () => {
    const cycle: Record<string, unknown> = {}
    cycle["self"] = cycle
    const hostile = { toJSON: () => Effect.runSync(Effect.die(new Error("no"))), __proto__: null }
    const lines = await logged(Effect.annotateLogs(Effect.logInfo(cycle, hostile, 10n, Symbol("s")), { cycle, n: NaN }))
    expect(lines).toHaveLength(1)
    expect(logLine({ date: new Date(0), level: "Info", message: "m", more: { __proto__: 1, x: 1n } })).toContain(
      '"x":"1"'
    )
  })

  it("show no secret: neither redacted values nor what looks like one", async () => {
    const [line] = await logged(
      Effect.annotateLogs(
        Effect.logError(
          Redacted.make("hunter2"),
          "Endpoint=sb://x.example/;SharedAccessKeyName=n;SharedAccessKey=c2VjcmV0="
        ),
        { password: Redacted.make("hunter2"), url: "amqps://user:pa55word@host.example/hub" }
      )
    )
    expect(JSON.stringify(line)).not.toMatch(/hunter2|c2VjcmV0|pa55word/)
    expect(line["message"]).toContain("SharedAccessKeyName=n;SharedAccessKey=<redacted>")
  })

  it.each([
    ["AccountKey=abc/def==;EndpointSuffix=x", "AccountKey=<redacted>;EndpointSuffix=x"],
    ["https://a.example/c?sv=1&sig=AbC%2F&se=2", "https://a.example/c?sv=1&sig=<redacted>&se=2"],
    ["Authorization: Bearer eyJhbGciOi.J9", "Authorization: Bearer <redacted>"],
    ['{"password":"p a"}', '{"password":"<redacted> a"}'],
    ["postgres://u:p%40ss@h/db", "postgres://u:<redacted>@h/db"],
    ["bearer of good news", "bearer of good news"],
    ["key=value; tokens: 3", "key=value; tokens: 3"]
  ])("takes secrets out of %s", (text, without) => {
    expect(withoutSecrets(text)).toBe(without)
  })
})
