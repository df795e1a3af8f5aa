import { EventHubConsumerClient, EventHubProducerClient } from "@azure/event-hubs"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { execFileSync, spawn } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { type EmbeddedOptions, start } from "../../src/connectors/eventhubs/embedded/index.ts"
import { Grants, verifyToken } from "../../src/connectors/eventhubs/embedded/sas.ts"
import { hmacSha256 } from "../../src/connectors/eventhubs/embedded/hmac.ts"
import { bodies, failure, noRetry, withService } from "./world.ts"

const options: EmbeddedOptions = {
  hubs: { h: { partitions: 1 }, other: { partitions: 1 } },
  sasKeys: {
    root: Redacted.make("root secret"),
    sender: { key: Redacted.make("sender secret"), rights: ["Send"] },
    listener: { key: "listener secret", rights: ["Listen"] }
  }
}

describe("shared access signatures at the embedded Event Hubs", () => {
  it("the right key may do everything; its name and value are in the connection string", () =>
    withService(options, async ({ service, producer, read }) => {
      expect(service.connectionString("h")).toContain("SharedAccessKeyName=root;SharedAccessKey=root secret;")
      await producer("h").sendBatch(bodies(0, 1))
      await read("h", "0").has(1)
    }))

  it.each([
    ["a wrong key", "root", "wrong"],
    ["an unknown name", "nobody", "root secret"]
  ])("%s is refused, for sending, reading and asking", (_case, name, key) =>
    withService(options, async ({ service }) => {
      const connection = service
        .connectionString("h")
        .replace(
          "SharedAccessKeyName=root;SharedAccessKey=root secret",
          `SharedAccessKeyName=${name};SharedAccessKey=${key}`
        )
      const producer = new EventHubProducerClient(connection, { retryOptions: noRetry })
      const sending = await failure(producer.sendBatch(bodies(0, 1)))
      expect(sending).toMatchObject({ code: "UnauthorizedError" })
      expect(sending.message).toMatch(/InvalidSignature/)
      expect(await failure(producer.getPartitionIds())).toMatchObject({ code: "UnauthorizedError" })
      const consumer = new EventHubConsumerClient("$Default", connection, { retryOptions: noRetry })
      const reading = await new Promise((done) => {
        consumer.subscribe("0", {
          processEvents: () => Promise.resolve(),
          processError: (error) => {
            done(error)
            return Promise.resolve()
          }
        })
      })
      expect(reading).toMatchObject({ code: "UnauthorizedError" })
      expect(service.stats()).toMatchObject({ eventsIn: 0, openReaders: 0, openPublishers: 0 })
      await Promise.all([producer.close(), consumer.close()])
    })
  )

  it("a key that may only send cannot read, and the other way round; both may ask", () =>
    withService(options, async ({ producer, consumer, read }) => {
      await producer("h", "sender").sendBatch(bodies(0, 1))
      const reading = await read("h", "0", undefined, { keyName: "sender" }).error
      expect(reading).toMatchObject({ code: "UnauthorizedError" })
      expect(reading.message).toMatch(/'Listen' claim\(s\) are required/)
      await read("h", "0", undefined, { keyName: "listener" }).has(1)
      const sending = await failure(producer("h", "listener").sendBatch(bodies(0, 1)))
      expect(sending).toMatchObject({ code: "UnauthorizedError" })
      expect(sending.message).toMatch(/'Send' claim\(s\) are required/)
      expect(await producer("h", "sender").getPartitionIds()).toEqual(["0"])
      expect(await consumer("h", "$Default", "listener").getPartitionIds()).toEqual(["0"])
    }))
})

describe("a token", () => {
  const key = { name: "k", key: Redacted.make("secret"), rights: new Set(["Send"] as const) }
  const keys = new Map([["k", key]])
  const token = (resource: string, untilS: number, secret = "secret", name = "k"): string => {
    const sr = encodeURIComponent(resource)
    const sig = encodeURIComponent(hmacSha256(secret, `${sr}\n${untilS}`))
    return `SharedAccessSignature sr=${sr}&sig=${sig}&se=${untilS}&skn=${name}`
  }

  it("allows what it names and all below it, until it expires", () => {
    const grant = verifyToken(keys, token("sb://host:1/Hub/", 10), 9_999)
    expect(grant).toEqual({ entity: "hub", rights: key.rights, untilMs: 10_000 })
    const grants = new Grants(false)
    expect(grants.allows(["Send"], "hub", 0)).toBe(false)
    grants.add(grant as never)
    expect(grants.allows(["Send"], "hub/Partitions/0", 9_999)).toBe(true)
    expect(grants.allows(["Listen"], "hub", 9_999)).toBe(false)
    expect(grants.allows(["Listen", "Send"], "hub/$management", 9_999)).toBe(true)
    expect(grants.allows(["Send"], "hub", 10_000)).toBe(false)
    expect(grants.allows(["Send"], "hubble", 0)).toBe(false)
    grants.add(verifyToken(keys, token("amqps://host", 20), 0) as never)
    expect(grants.allows(["Send"], "anything", 0)).toBe(true)
  })

  it.each([
    [token("sb://h/x", 10), 10_000, /Expired/],
    [token("sb://h/x", 10, "other"), 0, /InvalidSignature/],
    [token("sb://h/x", 10, "secret", "nobody"), 0, /no key 'nobody'/],
    [token("sb://h/x", 10).replace("se=10", "se=99"), 0, /InvalidSignature/],
    [token("sb://h/x", Number.NaN), 0, /Expired/],
    ["eyJhbGciOi.jwt", 0, /InvalidToken/],
    ["SharedAccessSignature ", 0, /no key ''/],
    ["SharedAccessSignature sr=%&sig=%&se=%&skn=k", 0, /InvalidSignature/],
    [undefined, 0, /InvalidToken/]
  ])("%s is refused", (text, nowMs, why) => {
    expect(verifyToken(keys, text, nowMs)).toMatch(why)
  })
})

describe("TLS", () => {
  let folder: string
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "tidemark-tls-"))
    const args = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    const files = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", "key.pem", "-out", "cert.pem"]
    execFileSync("openssl", [...args.split(" "), ...files], { cwd: folder, stdio: "ignore" })
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  it("SDKs connect by a connection string without the emulator's switch", () =>
    withService(
      {
        hubs: { h: { partitions: 1 } },
        host: "localhost",
        tls: { cert: readFileSync(join(folder, "cert.pem")), key: readFileSync(join(folder, "key.pem"), "utf8") }
      },
      async ({ service }) => {
        expect(service.connectionString("h")).not.toContain("UseDevelopmentEmulator")
        const program = `
          import { EventHubProducerClient } from "@azure/event-hubs"
          const client = new EventHubProducerClient(process.argv[1])
          await client.sendBatch([{ body: "over TLS" }])
          console.log(await client.getPartitionIds())
          await client.close()`
        const trusted = { ...process.env, NODE_EXTRA_CA_CERTS: join(folder, "cert.pem") }
        const args = ["--input-type=module", "-e", program, service.connectionString("h")]
        const child = spawn(process.execPath, args, { env: trusted, stdio: ["ignore", "pipe", "inherit"] })
        let out = ""
        child.stdout.on("data", (bytes: Buffer) => (out += bytes.toString()))
        expect(await new Promise((done) => child.on("close", done))).toBe(0)
        expect(out).toContain("'0'")
        expect(service.stats().eventsIn).toBe(1)
      }
    ))
})

describe("options", () => {
  it("all that is wrong with them is said at once", async () => {
    const error = await Effect.runPromise(
      Effect.flip(
        Effect.scoped(
          start({
            hubs: {
              "no/name": { partitions: 33 },
              h: { partitions: 0, consumerGroups: ["a b"], retention: { forMs: 0 } }
            },
            createOnFirstUse: { partitions: 1.5 },
            port: 70_000,
            messageBytesMax: 1,
            throughputUnits: 0,
            dataFolder: ""
          })
        )
      )
    )
    expect(error).toMatchObject({ _tag: "EmbeddedError", reason: "InvalidOptions" })
    expect(error.problems?.map(({ option }) => option)).toEqual([
      "hubs.no/name",
      "hubs.no/name.partitions",
      "hubs.h.consumerGroups",
      "hubs.h.partitions",
      "hubs.h.retention.forMs",
      "createOnFirstUse.partitions",
      "port",
      "messageBytesMax",
      "throughputUnits",
      "dataFolder"
    ])
  })

  it("a port that is taken is said", () =>
    withService({}, async ({ service, run }) => {
      const error = await run(Effect.flip(Effect.scoped(start({ port: service.port }))))
      expect(error).toMatchObject({ _tag: "EmbeddedError", reason: "CannotListen" })
      expect(error.message).toContain("EADDRINUSE")
    }))
})
