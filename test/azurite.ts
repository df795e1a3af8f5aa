/**
 * Azurite, Microsoft's own emulator of Blob storage, for tests: a process of its own on a port that the system chooses,
 * in a temporary folder, gone with the scope. Its account is `devstoreaccount1`; containers are made by who needs them.
 */
import { spawn } from "node:child_process"
import { mkdtemp, rm } from "node:fs/promises"
import { createRequire } from "node:module"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { BlobServiceClient } from "@azure/storage-blob"
import { Effect, Redacted, type Scope } from "effect"

/** A running Azurite. */
export interface Azurite {
  readonly port: number
  /** Of its service: `http://127.0.0.1:PORT/devstoreaccount1`. */
  readonly endpoint: string
  readonly connectionString: Redacted.Redacted<string>
  /** By the SDK, with its own retries. */
  readonly service: BlobServiceClient
}

/** The key of Azurite's account, which is the same everywhere. */
export const azuriteKey = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="

const require = createRequire(import.meta.url)
const main = require.resolve("azurite/dist/src/blob/main.js")

/** A connection string for the emulator behind an endpoint. */
export const connectionStringOf = (endpoint: string): string =>
  `DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey=${azuriteKey};BlobEndpoint=${endpoint};`

const temporary: Effect.Effect<string, never, Scope.Scope> = Effect.acquireRelease(
  Effect.promise(() => mkdtemp(join(tmpdir(), "tidemark-azurite-"))),
  (folder) => Effect.promise(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }))
)

/** Starts it. `location`: a folder whose database it serves, and keeps; without one everything is in memory. */
export const startAzurite = (location?: string): Effect.Effect<Azurite, Error, Scope.Scope> =>
  Effect.gen(function* () {
    const cwd = yield* temporary
    const where = location === undefined ? ["--inMemoryPersistence"] : ["--location", location]
    const args = [main, "--blobPort", "0", "--silent", "--skipApiVersionCheck", "--disableTelemetry", ...where]
    const child = yield* Effect.acquireRelease(
      Effect.sync(() => spawn(process.execPath, args, { cwd, stdio: ["ignore", "pipe", "pipe"] })),
      (started) =>
        Effect.callback<void>((resume) => {
          if (started.exitCode !== null || started.signalCode !== null) return resume(Effect.void)
          started.once("exit", () => resume(Effect.void))
          // With a folder it writes its database before it goes.
          started.kill(location === undefined ? "SIGKILL" : "SIGINT")
        })
    )
    const port = yield* Effect.callback<number, Error>((resume) => {
      let said = ""
      const hear = (text: Buffer): void => {
        said += text.toString("utf8")
        const listens = /successfully listens on http:\/\/127\.0\.0\.1:(\d+)/.exec(said)
        if (listens !== null) resume(Effect.succeed(Number(listens[1])))
      }
      child.stdout.on("data", hear)
      child.stderr.on("data", hear)
      child.once("error", (error) => resume(Effect.fail(error)))
      child.once("exit", (code) => resume(Effect.fail(new Error(`Azurite ended with ${code}: ${said}`))))
    })
    const endpoint = `http://127.0.0.1:${port}/devstoreaccount1`
    const connectionString = connectionStringOf(endpoint)
    return {
      port,
      endpoint,
      connectionString: Redacted.make(connectionString),
      service: BlobServiceClient.fromConnectionString(connectionString)
    }
  })

let containers = 0

/** A new container of its own for a test; gives its name. */
export const newContainer = (azurite: Azurite): Effect.Effect<string> =>
  Effect.promise(async () => {
    const name = `test-${++containers}`
    await azurite.service.createContainer(name)
    return name
  })
