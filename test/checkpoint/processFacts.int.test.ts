import { type ChildProcess, spawn } from "node:child_process"
import { existsSync } from "node:fs"
import { readFile } from "node:fs/promises"
import { Effect } from "effect"
import { describe, expect, it } from "vitest"
import { containerOf, isSurelyGone, nodeProcessFacts, startTimeOf } from "../../src/checkpoint/nodeProcessFacts.ts"
import { owner } from "./manifests.ts"

const self = { ...owner("x"), pid: 50, startedAt: "1000" }
const absent = () => Promise.resolve({ tag: "absent" } as const)
const running = (startedAt: string) => () => Promise.resolve({ tag: "running", startedAt } as const)

describe("C5a: a process is surely gone", () => {
  it("when it ran beside this one and no such pid runs, or another one by now", async () => {
    const neighbour = { ...self, pid: 77, startedAt: "900" }
    expect(await isSurelyGone(self, neighbour, absent)).toBe(true)
    expect(await isSurelyGone(self, neighbour, running("901"))).toBe(true)
    expect(await isSurelyGone(self, neighbour, running("900"))).toBe(false)
    expect(await isSurelyGone(self, neighbour, () => Promise.resolve({ tag: "unknown" }))).toBe(false)
    expect(await isSurelyGone(self, neighbour, running(""))).toBe(false)
  })

  it("never when host, boot, namespace or container is another one, or unknown to both", async () => {
    for (const field of ["host", "bootId", "pidNamespace", "container"] as const) {
      const other = { ...self, pid: 77, [field]: "another" }
      expect(await isSurelyGone(self, other, absent), field).toBe(false)
      const unknown = { ...self, pid: 77, [field]: "" }
      expect(await isSurelyGone({ ...self, [field]: "" }, unknown, absent), `${field} unknown`).toBe(false)
    }
    expect(await isSurelyGone(self, { ...self, pid: 77, startedAt: "" }, absent)).toBe(false)
    expect(await isSurelyGone({ ...self, startedAt: "" }, { ...self, pid: 77 }, absent)).toBe(false)
  })

  it("two containers that claim one boot id and pid 1 never take each other for dead", async () => {
    const one = { ...self, pid: 1, startedAt: "20" }
    const other = { ...one, startedAt: "3000" }
    for (const see of [absent, running("20"), running("3000")]) {
      expect(await isSurelyGone(one, other, see)).toBe(false)
      expect(await isSurelyGone(other, one, see)).toBe(false)
    }
    // Nor two that claim any other pid as their own.
    const seven = { ...self, pid: 7, startedAt: "20" }
    expect(await isSurelyGone(seven, { ...seven, startedAt: "30" }, absent)).toBe(false)
  })
})

describe("what /proc says", () => {
  it("the start time is the 22nd field, whatever the program is called", () => {
    const rest = `S ${Array.from({ length: 18 }, (_, i) => i).join(" ")} 4242 0 0`
    expect(startTimeOf(`12 (node) ${rest}`)).toBe("4242")
    expect(startTimeOf(`12 (a ) b (c) ${rest}`)).toBe("4242")
    expect(startTimeOf("")).toBe("")
  })

  it("containers differ by their root or their ids, and not by how mounts are numbered", () => {
    const mounts = (n: number, upper: string) =>
      `${n} ${n - 1} 0:50 / / rw,relatime - overlay overlay rw,upperdir=${upper}\n${n + 1} ${n} 0:51 / /proc rw - proc proc rw`
    const id = "a".repeat(64)
    const one = containerOf(mounts(22, "one"), "0::/")
    expect(one).toMatch(/^[0-9a-f]{16}$/)
    expect(containerOf(mounts(99, "one"), "0::/")).toBe(one)
    expect(containerOf(mounts(22, "two"), "0::/")).not.toBe(one)
    expect(containerOf(mounts(22, "one"), `0::/docker/${id}`)).not.toBe(one)
    expect(containerOf("", "")).toBe("")
  })
})

const started = (child: ChildProcess): Promise<number> =>
  new Promise((resolve, reject) => {
    child.once("spawn", () => resolve(child.pid as number))
    child.once("error", reject)
  })

describe.runIf(existsSync("/proc/self/stat"))("a real process", () => {
  it("knows itself, and tells a living neighbour from a dead one and from one that has its pid", async () => {
    const facts = await Effect.runPromise(nodeProcessFacts.self)
    expect(facts).toMatchObject({ pid: process.pid, startedAt: expect.stringMatching(/^[0-9]+$/) })
    expect(await Effect.runPromise(nodeProcessFacts.isGone({ ...facts, attemptId: "a" }))).toBe(false)

    const child = spawn(process.execPath, ["-e", "setInterval(() => undefined, 1000)"], { stdio: "ignore" })
    const pid = await started(child)
    const startedAt = startTimeOf(await readFile(`/proc/${pid}/stat`, "utf8"))
    const neighbour = { ...facts, attemptId: "b", pid, startedAt }
    expect(await Effect.runPromise(nodeProcessFacts.isGone(neighbour))).toBe(false)
    expect(await Effect.runPromise(nodeProcessFacts.isGone({ ...neighbour, startedAt: "1" }))).toBe(true)
    const gone = new Promise((resolve) => child.once("exit", resolve))
    child.kill("SIGKILL")
    await gone
    expect(await Effect.runPromise(nodeProcessFacts.isGone(neighbour))).toBe(true)
  })
})
