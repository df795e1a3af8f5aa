/**
 * Unix sockets in folders of their owner alone: the edge of the control socket, the only file of it that knows
 * `node:net`, files and the process.
 *
 * A folder is used only if it is a real folder of this user that nobody else may enter. A socket is bound under a hidden
 * name, made its owner's alone, and then renamed, so that what is listed already listens; one that refuses a connection
 * therefore has no process any more, and may be removed.
 */
import * as fs from "node:fs/promises"
import * as net from "node:net"
import { tmpdir } from "node:os"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { MonitorError } from "./MonitorError.ts"

/** What the kernel takes for a path (`sun_path`), with its final zero, on the strictest of systems. */
const pathBytesMax = 103
const connectionsMax = 16
const requestTimeoutMs = 2_000
const isSocketName = /^[0-9]+-[0-9a-z]+\.sock$/

/** This process. */
export const ownPid: number = process.pid

const uid = process.getuid?.() ?? 0

const unique = (texts: ReadonlyArray<string>): ReadonlyArray<string> => [...new Set(texts)]

const underTemp = (temp: string): string => `${temp}/tidemark-${uid}`

/** Folders of this user that the environment names, the best first. `TIDEMARK_RUNTIME_DIR` stands for all others. */
const namedFolders = (): ReadonlyArray<string> => {
  const said = process.env["TIDEMARK_RUNTIME_DIR"] ?? ""
  if (said.startsWith("/")) return [said]
  const runtime = process.env["XDG_RUNTIME_DIR"] ?? ""
  return [...(runtime.startsWith("/") ? [`${runtime}/tidemark`] : []), underTemp(tmpdir())]
}

/** Where a process puts its socket: the first of these that can be used. */
export const ownFolders = (): ReadonlyArray<string> => unique(namedFolders())

/** Where sockets of this user's processes may be, whatever the environment of each says. */
export const controlFolders = (): ReadonlyArray<string> => {
  const named = namedFolders()
  return unique(named.length === 1 ? named : [...named, `/run/user/${uid}/tidemark`, underTemp("/tmp")])
}

const codeOf = (cause: unknown): string =>
  cause instanceof Error && "code" in cause && typeof cause.code === "string" ? cause.code : ""

/** Why a folder cannot be trusted; undefined when it can; "absent" when there is none. */
const distrust = async (folder: string): Promise<string | undefined> => {
  const found = await fs.lstat(folder).catch((cause: unknown) => codeOf(cause))
  if (typeof found === "string") return found === "ENOENT" || found === "ENOTDIR" ? "absent" : found
  if (!found.isDirectory()) return "is not a folder"
  if (found.uid !== uid) return `belongs to user ${found.uid}, not to ${uid}`
  if ((found.mode & 0o077) !== 0) return `may be entered by others: chmod 700 ${folder}`
  return undefined
}

const ensure = async (folder: string): Promise<string | undefined> => {
  const made = await fs.mkdir(folder, { mode: 0o700 }).then(
    () => "",
    (cause: unknown) => codeOf(cause)
  )
  if (made !== "" && made !== "EEXIST") return `cannot be made: ${made}`
  return distrust(folder)
}

/** Bytes of a path as the kernel counts them. */
const bytesOf = (path: string): number => new TextEncoder().encode(path).length

const listen = (server: net.Server, path: string): Promise<void> =>
  new Promise((done, fail) => {
    server.once("error", fail)
    server.listen(path, () => {
      server.off("error", fail)
      done()
    })
  })

/** A connection as lines: what was read, and a way to answer. */
export interface LineConnection {
  /** Sends a line; silently nothing when the other side is gone. */
  readonly send: (line: string) => void
  /** Sends what is left, then closes. */
  readonly end: () => void
}

/** Calls back with the first line of every connection. A line longer than the bound closes it. */
const answer = (
  socket: net.Socket,
  bytesMax: number,
  heard: (line: string, connection: LineConnection) => void
): void => {
  let text = ""
  let done = false
  socket.setEncoding("utf8")
  socket.setTimeout(requestTimeoutMs, () => {
    if (!done) socket.destroy()
  })
  socket.on("error", () => socket.destroy())
  socket.on("data", (part: string) => {
    if (done) return
    text += part
    const end = text.indexOf("\n")
    if (end < 0 && text.length <= bytesMax) return
    done = true
    if (end < 0 || end > bytesMax) return void socket.destroy()
    heard(text.slice(0, end), {
      send: (line) => void (socket.writable && socket.write(`${line}\n`)),
      end: () => void socket.end()
    })
  })
}

/** Listens on a socket of its own in the first folder that can be used; gives its path. Closed with the scope. */
export const listenLines = (options: {
  readonly folders: ReadonlyArray<string>
  readonly name: string
  readonly requestBytesMax: number
  readonly heard: (line: string, connection: LineConnection) => void
}): Effect.Effect<string, MonitorError, Scope.Scope> => {
  const open = async (): Promise<{
    readonly path: string
    readonly server: net.Server
    close: () => Promise<void>
  }> => {
    const why: Array<string> = []
    for (const folder of options.folders) {
      const path = `${folder}/${options.name}.sock`
      const hidden = `${folder}/.${options.name}`
      if (bytesOf(path) > pathBytesMax) {
        why.push(`${folder}: is too long a path for a socket`)
        continue
      }
      const wrong = await ensure(folder)
      if (wrong !== undefined) {
        why.push(`${folder}: ${wrong}`)
        continue
      }
      const sockets = new Set<net.Socket>()
      const server = net.createServer((socket) => {
        sockets.add(socket)
        socket.on("close", () => sockets.delete(socket))
        answer(socket, options.requestBytesMax, options.heard)
      })
      server.maxConnections = connectionsMax
      try {
        await listen(server, hidden)
        await fs.chmod(hidden, 0o600)
        await fs.rename(hidden, path)
      } catch (cause) {
        server.close()
        why.push(`${folder}: ${codeOf(cause)}`)
        continue
      }
      // Nobody has to be connected for the process to go on, or to end.
      server.unref()
      const close = async (): Promise<void> => {
        await fs.unlink(path).catch(() => undefined)
        server.close()
        for (const socket of sockets) socket.destroySoon()
      }
      return { path, server, close }
    }
    throw new Error(why.join("; "))
  }
  return Effect.map(
    Effect.acquireRelease(
      Effect.tryPromise({
        try: open,
        catch: (cause) =>
          new MonitorError({
            message: `this process cannot be listed or stopped by \`tidemark queries\`: no folder for its socket can be used (${cause instanceof Error ? cause.message : ""})`,
            cause
          })
      }),
      ({ close }) => Effect.promise(close)
    ),
    ({ path }) => path
  )
}

/** Sockets of this user, of whichever process, dead ones included. */
export const findSockets = (folders: ReadonlyArray<string>): Effect.Effect<ReadonlyArray<string>> =>
  Effect.promise(async () => {
    const found: Array<string> = []
    for (const folder of folders) {
      if ((await distrust(folder)) !== undefined) continue
      const names = await fs.readdir(folder).catch((): ReadonlyArray<string> => [])
      for (const name of names) if (isSocketName.test(name)) found.push(`${folder}/${name}`)
    }
    return found.toSorted()
  })

/** What came of asking a socket: lines, or that its process is gone, or why it did not answer. */
export type Asked = "done" | "gone" | { readonly silent: string }

/**
 * Sends a line and hears the lines that come back, until the other side closes. A socket that refuses connections has no
 * process: it is removed. `silentMs`: how long the other side may say nothing.
 */
export const ask = (
  path: string,
  request: string,
  heard: (line: string) => void,
  silentMs: number
): Effect.Effect<Asked> =>
  Effect.flatMap(
    Effect.callback<Asked>((resume) => {
      let text = ""
      let connected = false
      const socket = net.connect(path)
      socket.setEncoding("utf8")
      socket.setTimeout(silentMs, () => finish({ silent: `did not answer within ${silentMs / 1000} s` }))
      const finish = (asked: Asked): void => {
        socket.destroy()
        resume(Effect.succeed(asked))
      }
      socket.on("connect", () => {
        connected = true
        socket.write(`${request}\n`)
      })
      socket.on("data", (part: string) => {
        text += part
        for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n")) {
          heard(text.slice(0, end))
          text = text.slice(end + 1)
        }
      })
      socket.on("close", () => finish("done"))
      socket.on("error", (cause) => {
        const code = codeOf(cause)
        if (!connected && (code === "ECONNREFUSED" || code === "ENOENT")) finish("gone")
        else finish({ silent: `cannot be asked: ${code === "" ? cause.message : code}` })
      })
      return Effect.sync(() => socket.destroy())
    }),
    (asked): Effect.Effect<Asked> => {
      if (asked !== "gone") return Effect.succeed(asked)
      const remove = Effect.promise(() => fs.unlink(path).catch(() => undefined))
      return Effect.as(remove, asked)
    }
  )
