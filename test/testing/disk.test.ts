/** The simulated disk, in what no test of files by its own laws would show. */
import { Effect, Exit } from "effect"
import { FileError } from "../../src/model/FileSystem.ts"
import { makeSimulatedDisk } from "../../src/testing/SimulatedDisk.ts"
import { expect, it } from "vitest"

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

/** A disk on which the first sync of a file fails, and what a process does there. */
const afterFailedSync = () => {
  const disk = makeSimulatedDisk()
  let syncs = 0
  const { fs } = disk.process((_, what) =>
    what === "fsync /f" && syncs++ === 0
      ? Effect.fail(new FileError({ code: "Other", operation: "fsync", path: "/f", message: "EIO" }))
      : Effect.void
  )
  return { disk, fs }
}

/** Nothing torn, nothing kept that is not durable. */
const whole = () => 0.1

it("C3: bytes whose sync failed are gone in a loss of power, though a second sync says that they are durable", async () => {
  const { disk, fs } = afterFailedSync()
  const answers = await Effect.runPromise(
    Effect.gen(function* () {
      const file = yield* fs.open("/f", "create")
      yield* file.append(bytes("hello"))
      const first = yield* Effect.exit(file.sync)
      const second = yield* Effect.exit(file.sync)
      yield* fs.syncDirectory("/")
      return [first, second].map(Exit.isSuccess)
    })
  )
  expect(answers).toEqual([false, true])
  expect(disk.atStake().files).toBe(1)
  disk.losePower(whole)
  expect(disk.read("/f")).not.toEqual(bytes("hello"))
})

it("C3: a file that is written anew after a sync that failed is durable when it is synced", async () => {
  const { disk, fs } = afterFailedSync()
  await Effect.runPromise(
    Effect.gen(function* () {
      const file = yield* fs.open("/f", "create")
      yield* file.append(bytes("hello"))
      yield* Effect.exit(file.sync)
      const again = yield* fs.open("/f", "create")
      yield* again.append(bytes("hello again"))
      yield* again.sync
      yield* fs.syncDirectory("/")
    })
  )
  expect(disk.atStake().files).toBe(0)
  disk.losePower(whole)
  expect(disk.read("/f")).toEqual(bytes("hello again"))
})
