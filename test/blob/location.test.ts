import { Redacted } from "effect"
import { describe, expect, it } from "vitest"
import { type Access, accessOf, type BlobAccess } from "../../src/connectors/blob/access.ts"
import { type BlobLocation, parseLocation } from "../../src/connectors/blob/location.ts"

const located = (path: string): BlobLocation => {
  const parsed = parseLocation(path)
  if (parsed.tag === "problem") throw new Error(`${path}: ${parsed.why}`)
  return parsed.location
}

describe("paths of Blob storage", () => {
  it.each([
    ["https://acc.blob.core.windows.net/jobs", "https://acc.blob.core.windows.net", "acc", "jobs", ""],
    ["https://acc.blob.core.windows.net/jobs/a/b=1/", "https://acc.blob.core.windows.net", "acc", "jobs", "a/b=1/"],
    ["https://acc.dfs.core.windows.net/jobs/a", "https://acc.blob.core.windows.net", "acc", "jobs", "a/"],
    ["abfss://jobs@acc.dfs.core.windows.net/a/b", "https://acc.blob.core.windows.net", "acc", "jobs", "a/b/"],
    ["abfss://jobs@acc.dfs.core.windows.net", "https://acc.blob.core.windows.net", "acc", "jobs", ""],
    ["abfss://jobs@acc.blob.core.chinacloudapi.cn/", "https://acc.blob.core.chinacloudapi.cn", "acc", "jobs", ""],
    ["http://127.0.0.1:10000/dev1/jobs/a", "http://127.0.0.1:10000/dev1", "dev1", "jobs", "a/"],
    ["http://localhost:10000/dev1/jobs", "http://localhost:10000/dev1", "dev1", "jobs", ""],
    ["http://[::1]:10000/dev1/jobs", "http://[::1]:10000/dev1", "dev1", "jobs", ""],
    ["http://azurite:10000/dev1/jobs", "http://azurite:10000/dev1", "dev1", "jobs", ""],
    ["https://acc.blob.core.windows.net/$web/a", "https://acc.blob.core.windows.net", "acc", "$web", "a/"]
  ])("%s", (path, endpoint, account, container, prefix) => {
    const location = located(path)
    expect(location).toMatchObject({ endpoint, account, container, prefix })
    expect(location.url).toBe(`${endpoint}/${container}${prefix === "" ? "" : `/${prefix.slice(0, -1)}`}`)
  })

  it.each([
    ["", /write "https:/],
    ["./folder", /write "https:/],
    ["wasbs://a@b.blob.core.windows.net/x", /write "https:/],
    ["abfss://acc.dfs.core.windows.net/jobs", /write "https:.*abfss:/],
    ["abfss://jobs@/a", /write "https:/],
    ["https:///jobs", /names no host/],
    ["https://acc.blob.core.windows.net", /names no container/],
    ["https://acc.blob.core.windows.net/", /names no container/],
    ["http://127.0.0.1:10000/", /names no account/],
    ["http://127.0.0.1:10000/devstoreaccount1", /names no container/],
    ["https://acc.blob.core.windows.net/Jobs", /"Jobs" is no name of a container \(3 to 63/],
    ["https://acc.blob.core.windows.net/a--b", /no name of a container/],
    [`https://acc.blob.core.windows.net/${"a".repeat(64)}`, /no name of a container/],
    ["https://acc.blob.core.windows.net/jobs/a//b", /the folder "a\/\/b" may have/],
    ["https://acc.blob.core.windows.net/jobs/../other", /the folder/],
    ["https://acc.blob.core.windows.net/jobs/a%20b", /the folder/],
    ["https://acc.blob.core.windows.net/jobs/a./b", /neither begin nor end with a dot/],
    [`https://acc.blob.core.windows.net/jobs/${"a/".repeat(101)}b`, /at most 200 characters/],
    ["http://acc.blob.core.windows.net/jobs", /plain "http".*write "https"/],
    ["https://acc.blob.core.windows.net/jobs?sv=1&sig=hunter2", /goes into the option sasToken/],
    ["https://me:hunter2@acc.blob.core.windows.net/jobs", /does not belong into a path/]
  ])("refuses %s", (path, why) => {
    const parsed = parseLocation(path)
    expect(parsed).toMatchObject({ tag: "problem", why: expect.stringMatching(why) as string })
    expect(JSON.stringify(parsed)).not.toContain("hunter2")
  })
})

describe("how a store signs in", () => {
  const azure = located("https://acc.blob.core.windows.net/jobs")
  const azurite = located("http://127.0.0.1:10000/devstoreaccount1/jobs")
  const own = located("https://files.example.org/jobs")
  const key = "c2VjcmV0LXNlY3JldC1zZWNyZXQ="
  const secret = Redacted.make
  const credential = { getToken: () => Promise.resolve(null) }
  const whole = `DefaultEndpointsProtocol=https;AccountName=acc;AccountKey=${key};EndpointSuffix=core.windows.net`

  it.each([
    ["a connection string", { connectionString: secret(whole) }, azure, "key"],
    ["a connection string with spaces and a line end", { connectionString: secret(` ${whole} ;\n`) }, azure, "key"],
    ["a connection string for a host of one's own", { connectionString: secret(whole) }, own, "key"],
    ["the emulator's", { connectionString: secret("UseDevelopmentStorage=true") }, azurite, "key"],
    [
      "a connection string with a SAS",
      { connectionString: secret("BlobEndpoint=https://acc.blob.core.windows.net;SharedAccessSignature=sv=1&sig=s") },
      azure,
      "sas"
    ],
    ["a SAS", { sasToken: secret("?sv=1&sp=rwdl&sig=abc") }, azure, "sas"],
    ["a credential", { credential }, azure, "credential"],
    ["nothing", {}, azure, "default"]
  ] as ReadonlyArray<readonly [string, BlobAccess, BlobLocation, Access["kind"]]>)("by %s", (_, options, at, kind) => {
    expect(accessOf(options, at)).toMatchObject({ kind })
  })

  it.each([
    [{ connectionString: secret(whole), credential }, azure, /connectionString and credential are given: choose one/],
    [{ connectionString: secret(`AccountKey=${key}`) }, azure, /has no AccountName/],
    [{ connectionString: secret("AccountName=acc") }, azure, /has no AccountKey/],
    [{ connectionString: secret("Endpoint=sb://x/;SharedAccessKey=secret") }, azure, /has no AccountName/],
    [{ connectionString: secret("AccountName=acc;AccountKey=sec*ret") }, azure, /is not whole/],
    [{ connectionString: secret(whole) }, azurite, /is of the account "acc", the path of "devstoreaccount1"/],
    [{ connectionString: secret("UseDevelopmentStorage=true") }, azure, /is of the account "devstoreaccount1"/],
    [{ sasToken: secret("sv=1&sp=r") }, azure, /has no signature/],
    [{ sasToken: "sv=1&sig=secret" as unknown as Redacted.Redacted<string> }, azure, /sasToken is a secret: wrap it/],
    [{ credential }, azurite, /over plain http only/],
    [{}, azurite, /over plain http only/]
  ] as ReadonlyArray<readonly [BlobAccess, BlobLocation, RegExp]>)("refuses %o", (options, at, why) => {
    const access = accessOf(options, at)
    expect(access).toMatch(why)
    expect(access).not.toMatch(/secret-|sec\*ret|sig=secret|c2Vjcm/)
  })

  it("never shows a secret when it is printed", () => {
    const access = accessOf({ connectionString: secret(whole) }, azure)
    expect(JSON.stringify(access) + String(access)).not.toContain(key)
  })
})
