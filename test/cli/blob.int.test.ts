/** `--checkpoint` in Blob storage: the real program, on Azurite. */
import { Effect, Exit, Redacted, Scope } from "effect"
import { readdirSync } from "node:fs"
import { afterAll, afterEach, beforeAll, expect, it, vi } from "vitest"
import { store } from "../../src/connectors/blob/BlobObjectStore.ts"
import { type Azurite, newContainer, startAzurite } from "../azurite.ts"
import { jobText, orderLines } from "./offline.ts"
import { makeProject, type Project } from "./program.ts"

const scope = Scope.makeUnsafe()
let azurite: Azurite
let project: Project
beforeAll(async () => {
  azurite = await Effect.runPromise(Effect.provideService(startAzurite(), Scope.Scope, scope))
  project = makeProject()
  project.write("in/orders.jsonl", `${orderLines}\n`)
  project.write("job.ts", jobText())
})
afterAll(async () => {
  project.remove()
  await Effect.runPromise(Scope.close(scope, Exit.void))
})
afterEach(() => vi.unstubAllEnvs())

it("C5, C5b: run, plan, state and reset work there as in a folder; what goes on is said, and what it costs", async () => {
  const checkpoint = `${azurite.endpoint}/${await Effect.runPromise(newContainer(azurite))}/jobs`
  vi.stubEnv("AZURE_STORAGE_CONNECTION_STRING", Redacted.value(azurite.connectionString))
  const first = await project.run("run", "job.ts", "--checkpoint", checkpoint)
  expect(first).toMatchObject({ code: 0, stderr: expect.not.stringContaining("requests an hour") as string })
  expect(readdirSync(project.folder)).not.toContain(".tidemark")

  const state = await project.run("state", "orders", "--checkpoint", checkpoint, "--json")
  expect(state).toMatchObject({ code: 0, stdout: expect.stringContaining('"query":"orders"') as string })
  const plan = await project.run("plan", "job.ts", "--checkpoint", checkpoint)
  expect(plan).toMatchObject({ code: 0, stdout: expect.stringContaining("keep") as string })

  // One that would run for long says what that costs.
  project.write("job.ts", jobText().replace("Trigger.availableNow()", 'Trigger.every("10 seconds")'))
  const second = await project.run("run", "job.ts", "--checkpoint", checkpoint)
  expect(second.stderr).toMatch(/orders goes on from epoch \d+/)
  expect(second.stderr).toMatch(
    /query orders: with an epoch every 10000 ms its checkpoint makes about 3600 requests an hour while rows come, 720 of them/
  )
  expect(second.code).toBe(0)

  const reset = await project.run("reset", "orders", "--checkpoint", checkpoint, "--yes")
  expect(reset).toMatchObject({ code: 0, stderr: expect.not.stringContaining("AccountKey") as string })
})

it("C5, C5a: killed in mid-run, it goes on at once from its last epoch", async () => {
  const container = await Effect.runPromise(newContainer(azurite))
  const checkpoint = `${azurite.endpoint}/${container}/jobs`
  vi.stubEnv("AZURE_STORAGE_CONNECTION_STRING", Redacted.value(azurite.connectionString))
  project.write(
    "endless.ts",
    `
import { EventStream, Foreach, Generate, Query, Trigger } from "tidemark"
import * as Effect from "effect/Effect"

const ids = EventStream.from(Generate.transactions({ rate: 200 })).pipe(EventStream.to(Foreach.sink(() => Effect.void)))
export default Query.job({ ids }, { trigger: Trigger.every("100 millis") })
`
  )
  const running = project.start("run", "endless.ts", "--checkpoint", checkpoint)
  const epochs = (): Promise<number> =>
    Effect.runPromise(Effect.map(store(checkpoint, azurite).list("queries/ids/copy/", 9), (all) => all.length))
  while ((await epochs()) < 4) expect(running.child.exitCode).toBe(null)
  running.kill("SIGKILL")
  await running.ended
  const again = project.start("run", "endless.ts", "--checkpoint", checkpoint)
  await again.said(/ids goes on from epoch \d+/)
  again.kill("SIGTERM")
  const { code, stderr } = await again.ended
  expect(stderr).not.toMatch(/standby/)
  expect(code).toBe(0)
})

it("a wrong path, a missing container and a wrong key end it, and say what to do", async () => {
  vi.stubEnv("AZURE_STORAGE_CONNECTION_STRING", Redacted.value(azurite.connectionString))
  for (const [checkpoint, says] of [
    ["s3://bucket/jobs", /blob s3:\/\/bucket\/jobs: write "https:\/\/ACCOUNT/],
    [`${azurite.endpoint}/no-such`, /there is no container "no-such" in devstoreaccount1: make it/],
    [
      "https://acc.blob.core.windows.net/jobs",
      /connectionString is of the account "devstoreaccount1", the path of "acc"/
    ]
  ] as const) {
    const { code, stderr } = await project.run("run", "job.ts", "--checkpoint", checkpoint)
    expect(stderr).toMatch(says)
    expect(stderr).not.toContain("AccountKey")
    expect(code).toBe(1)
  }
})
