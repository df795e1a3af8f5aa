/** What `tidemark send`, `tail` and `generate` say of a hub that they cannot use, in processes of their own. */
import { createServer } from "node:net"
import { Redacted } from "effect"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { onInput, withHub } from "./hubProgram.ts"
import { fromSources, makeProject, type Project } from "./program.ts"

let project: Project
beforeAll(() => {
  project = makeProject()
})
afterAll(() => project.remove())

describe("what cannot be done is said in one line that names the fix", () => {
  const key = "Endpoint=sb://127.0.0.1:1;SharedAccessKeyName=root;SharedAccessKey=c2VjcmV0"
  const local = `${key};UseDevelopmentEmulator=true`

  it.each([
    [
      "no variable",
      "",
      2,
      /the variable NOWHERE is not set/,
      ["send", "eventhubs", "hub", "--connection-env", "NOWHERE"]
    ],
    [
      "half a string",
      "Endpoint=sb://x;SharedAccessKey=s3cret",
      2,
      /SharedAccessKeyName=\.\.\. is missing/,
      ["tail", "eventhubs", "hub"]
    ],
    [
      "another hub",
      `${key};EntityPath=other`,
      2,
      /is of the hub other, and hub says hub/,
      ["send", "eventhubs", "hub"]
    ],
    ["no group", key, 2, /name the consumer group/, ["tail", "eventhubs", "hub"]],
    ["no place", local, 2, /earliest, latest, a sequence number/, ["tail", "eventhubs", "hub", "--from", "noon"]],
    ["no hub name", local, 2, /the name of an event hub/, ["tail", "eventhubs", "a/b"]],
    [
      "two ways",
      local,
      2,
      /--key or --partition, not both/,
      ["send", "eventhubs", "h", "--key", "k", "--partition", "0"]
    ],
    ["no target", local, 2, /eventhubs:transactions/, ["generate", "iot", "--to", "kafka:x"]],
    [
      "nobody there",
      local,
      1,
      /event hub hub at sb:\/\/127\.0\.0\.1:1: .*check the endpoint and the network/,
      ["tail", "eventhubs", "hub"]
    ],
    [
      "nobody there",
      local,
      1,
      /event hub hub at sb:\/\/127\.0\.0\.1:1: .*check the endpoint and the network/,
      ["send", "eventhubs", "hub"]
    ]
  ] as const)("%s: %#", async (_, connection, status, says, args) => {
    const { code, stdout, stderr } = await onInput(project, connection, "line\n", ...args)
    expect(stderr).toMatch(says)
    expect(stdout + stderr).not.toMatch(/s3cret|c2VjcmV0/)
    expect(code).toBe(status)
  })

  it("a host that never answers is given up in the time that was allowed", async () => {
    const silent = createServer(() => undefined)
    await new Promise<void>((done) => silent.listen(0, "127.0.0.1", done))
    const address = silent.address() as { readonly port: number }
    const connection = `Endpoint=sb://127.0.0.1:${address.port};SharedAccessKeyName=n;SharedAccessKey=k;UseDevelopmentEmulator=true`
    const ended = await Promise.all(
      ["send", "tail"].map((command) =>
        onInput(project, connection, "", command, "eventhubs", "hub", "--timeout", "500ms")
      )
    )
    silent.close()
    for (const { code, stderr } of ended) {
      expect(stderr).toMatch(/event hub hub at [^ ]* does not answer within 500 ms: check the endpoint and the network/)
      expect(code).toBe(1)
    }
  })

  it("a wrong key, hub, group or partition is told apart", () =>
    withHub(
      async (service) => {
        const wrongKey = service.connectionString().replace(/SharedAccessKey=[^;]*/, "SharedAccessKey=d3Jvbmc=")
        const failing = async (connection: string, ...args: ReadonlyArray<string>) => {
          const { code, stderr } = await onInput(project, connection, "line\n", ...args)
          expect([code, stderr]).toEqual([1, expect.stringMatching(/^tidemark: event hub/m)])
          return stderr
        }
        const wrong = (...args: ReadonlyArray<string>) => failing(wrongKey, ...args)
        const said = (...args: ReadonlyArray<string>) => failing(service.connectionString(), ...args)
        const [sendKey, tailKey, sendHub, tailHub, group, partition, sendPartition] = await Promise.all([
          wrong("send", "eventhubs", "hub"),
          wrong("tail", "eventhubs", "hub"),
          said("send", "eventhubs", "nohub"),
          said("tail", "eventhubs", "nohub"),
          said("tail", "eventhubs", "hub", "--group", "nobody"),
          said("tail", "eventhubs", "hub", "--partition", "9"),
          said("send", "eventhubs", "hub", "--partition", "9")
        ])
        expect(sendKey).toMatch(/check the key, and that its policy has the right Send/)
        expect(tailKey).toMatch(/check the key, and that its policy has the right Listen/)
        expect(sendHub).toMatch(/nohub.*could not be found.*check the names of the hub/)
        expect(tailHub).toMatch(/nohub.*could not be found.*check the name of the hub/)
        expect(group).toMatch(/check the name of the hub, and that it has the consumer group nobody/)
        expect(partition).toMatch(/has no partition 9: it has 0, 1/)
        expect(sendPartition).toMatch(
          /check the names of the hub and of the partition; line 1 is not known to be sent; before, 0 events/
        )
      },
      { sasKeys: { root: Redacted.make("c2Vj") } }
    ))

  it("without the package of Azure, what to install is said", async () => {
    const without = makeProject(["--import", "./without.mjs", ...fromSources])
    without.write(
      "without.mjs",
      `import { registerHooks } from "node:module"
      registerHooks({ resolve(specifier, context, next) {
        if (specifier === "@azure/event-hubs") throw Object.assign(new Error("not here"), { code: "ERR_MODULE_NOT_FOUND" })
        return next(specifier, context)
      } })`
    )
    const { code, stderr } = await onInput(without, local, "", "tail", "eventhubs", "hub")
    without.remove()
    expect(stderr).toMatch(/^tidemark: the package @azure\/event-hubs cannot be loaded: .*npm i @azure\/event-hubs/)
    expect(code).toBe(1)
  })
})
