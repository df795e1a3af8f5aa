/**
 * What a Node process knows of itself and of its neighbours, from `/proc` (rule C5a). An edge: it reads the real system.
 *
 * "Gone" is only said of a process of this host, boot, process-id namespace and container, by its pid and start time.
 * Two containers may claim one boot id, one namespace and one pid: so pid 1, and our own pid, are never judged, and
 * where there is no `/proc` nobody is.
 */
import * as Effect from "effect/Effect"
import { readFile, readlink } from "node:fs/promises"
import { hostname } from "node:os"
import process from "node:process"
import { hashPair } from "../model/Hash.ts"
import type { Owner, ProcessFacts } from "./Owner.ts"

const textOf = (read: () => Promise<string>): Promise<string> => read().catch(() => "")

/** The 22nd field of `stat`; the second may hold spaces and brackets. Empty: not to be told. */
export const startTimeOf = (stat: string): string =>
  stat
    .slice(stat.lastIndexOf(")") + 1)
    .split(" ")[20]
    ?.trim() ?? ""

/** Files that container runtimes put into each container, from a folder of that container's own. */
const ownFiles = ["/etc/hostname", "/etc/hosts", "/etc/resolv.conf"]

/** What tells one container from another: the root's mount, with its overlay folders, and ids that runtimes leave behind. */
export const containerOf = (mountinfo: string, cgroup: string): string => {
  const mounts = mountinfo.split("\n").map((line) => line.split(" "))
  // The first two fields number the mount within its namespace: other processes of the container may see others.
  const root = mounts.find((fields) => fields[4] === "/")?.slice(2)
  const files = mounts.filter((fields) => ownFiles.includes(fields[4])).map((fields) => fields[3])
  const ids = cgroup.match(/\b[0-9a-f]{64}\b/g) ?? []
  if (root === undefined && ids.length === 0) return ""
  const out = new Int32Array(2)
  hashPair([root?.join(" ") ?? "", ...files.toSorted(), ...new Set(ids.toSorted())].join("\n"), out)
  return [...out].map((half) => (half >>> 0).toString(16).padStart(8, "0")).join("")
}

const readSelf = async (): Promise<Omit<Owner, "attemptId">> => {
  const [bootId, pidNamespace, mountinfo, cgroup, stat] = await Promise.all([
    textOf(() => readFile("/proc/sys/kernel/random/boot_id", "utf8")),
    textOf(() => readlink("/proc/self/ns/pid")),
    textOf(() => readFile("/proc/self/mountinfo", "utf8")),
    textOf(() => readFile("/proc/self/cgroup", "utf8")),
    textOf(() => readFile("/proc/self/stat", "utf8"))
  ])
  return {
    host: hostname(),
    bootId: bootId.trim(),
    pidNamespace: pidNamespace.trim(),
    container: containerOf(mountinfo, cgroup),
    pid: process.pid,
    startedAt: startTimeOf(stat)
  }
}

type Seen = { readonly tag: "running"; readonly startedAt: string } | { readonly tag: "absent" | "unknown" }

/** What `/proc` says of a pid of this namespace. */
const look = (pid: number): Promise<Seen> =>
  readFile(`/proc/${pid}/stat`, "utf8").then(
    (stat): Seen => ({ tag: "running", startedAt: startTimeOf(stat) }),
    (cause: unknown): Seen => ({
      tag: (cause as { readonly code?: unknown } | null)?.code === "ENOENT" ? "absent" : "unknown"
    })
  )

/** Whether `owner` is surely gone, given what this process is and what it sees of that pid. */
export const isSurelyGone = (
  self: Omit<Owner, "attemptId">,
  owner: Owner,
  see: (pid: number) => Promise<Seen>
): Promise<boolean> => {
  const fields = ["host", "bootId", "pidNamespace", "container"] as const
  const isNeighbour = fields.every((name) => self[name] !== "" && self[name] === owner[name])
  if (!isNeighbour || owner.pid <= 1 || owner.pid === self.pid || self.startedAt === "" || owner.startedAt === "") {
    return Promise.resolve(false)
  }
  return see(owner.pid).then(
    (seen) =>
      seen.tag === "absent" || (seen.tag === "running" && seen.startedAt !== "" && seen.startedAt !== owner.startedAt)
  )
}

let self: Promise<Omit<Owner, "attemptId">> | undefined

/** The facts of this process. */
export const nodeProcessFacts: ProcessFacts = {
  self: Effect.promise(() => (self ??= readSelf())),
  isGone: (owner) => Effect.promise(() => (self ??= readSelf()).then((own) => isSurelyGone(own, owner, look)))
}
